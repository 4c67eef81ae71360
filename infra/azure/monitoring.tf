# Who did what, and what it costs.

resource "azurerm_log_analytics_workspace" "audit" {
  name                = var.log_analytics_workspace_name
  resource_group_name = azurerm_resource_group.lakehouse.name
  location            = azurerm_resource_group.lakehouse.location
  tags                = var.tags

  sku                          = "PerGB2018"
  retention_in_days            = var.log_retention_days
  local_authentication_enabled = false
}

locals {
  audited = {
    workspace = { id = azurerm_databricks_workspace.lakehouse.id, logs = "allLogs", metrics = [] }
    lake      = { id = "${azurerm_storage_account.lake.id}/blobServices/default", logs = "audit", metrics = ["Transaction"] }
    events    = { id = azurerm_eventhub_namespace.events.id, logs = "allLogs", metrics = ["AllMetrics"] }
  }
}

resource "azurerm_monitor_diagnostic_setting" "audit" {
  for_each = local.audited

  name                       = "audit"
  target_resource_id         = each.value.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.audit.id

  enabled_log {
    category_group = each.value.logs
  }

  dynamic "enabled_metric" {
    for_each = each.value.metrics

    content {
      category = enabled_metric.value
    }
  }
}

resource "azurerm_consumption_budget_resource_group" "month" {
  name              = "${var.resource_group_name}-month"
  resource_group_id = azurerm_resource_group.lakehouse.id
  amount            = var.budget.amount
  time_grain        = "Monthly"

  time_period {
    start_date = formatdate("YYYY-MM-01'T'00:00:00'Z'", plantimestamp())
  }

  dynamic "notification" {
    for_each = toset(var.budget.percentages)

    content {
      operator       = "GreaterThanOrEqualTo"
      threshold      = notification.value
      threshold_type = "Actual"
      contact_emails = var.budget.emails
    }
  }

  notification {
    operator       = "GreaterThanOrEqualTo"
    threshold      = 100
    threshold_type = "Forecasted"
    contact_emails = var.budget.emails
  }

  lifecycle {
    # The first day of the month in which it was made: a later apply does not begin it anew.
    ignore_changes = [time_period]
  }
}
