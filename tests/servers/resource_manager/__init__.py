"""Azure Resource Manager for tests.

A server of the routes of Event Hubs, over plain HTTP, with state, refusals, pages, faults on
purpose and a count of calls.

Its routes and fields are those of api-version 2024-01-01
(learn.microsoft.com/rest/api/eventhub/controlplane-stable/event-hubs); what it refuses is on the
pages *Event Hubs quotas*
and *Event Hubs Resource Manager exceptions*, and errors have the form of *Azure Resource Manager,
Error details*. The words of a refusal are the server's own: test codes, not sentences.
"""
