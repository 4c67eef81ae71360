"""Terraform's side: `infra/` is formatted, valid and says what it should.

The tests say whether the real providers or stand-ins checked it.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import terraform as tools  # noqa: E402

from datamaster_kit.project.project_file import Project, read_contracts, read_project  # noqa: E402
from datamaster_kit.project.sections import AZURE_KEYS  # noqa: E402
from datamaster_kit.setup.variables import (  # noqa: E402
    azure_variables,
    entra_variables,
    render_tfvars,
    setup_of,
    state_variables,
)

INFRA = ROOT / "infra"
FILES = sorted(path for folder in tools.FOLDERS for path in (INFRA / folder).glob("*.tf"))


@dataclass(frozen=True)
class Terraform:
    """The command, and the providers that it installs."""

    command: list[str]
    providers: tools.Providers

    def __call__(self, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Run in a folder; what it prints has no colours."""
        return subprocess.run(
            [*self.command, *arguments],
            cwd=folder,
            env=tools.environment(self.providers.mirror),
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def terraform(request: pytest.FixtureRequest) -> Terraform:
    """Terraform with the real providers or stand-ins; the test run says which."""
    found = Terraform(tools.terraform(), tools.providers())
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        # the one stream that a process of pytest-xdist has
        print(
            f"\ninfra: {found('version', folder=INFRA).stdout.splitlines()[0]} with "
            f"{found.providers}",
            file=sys.stderr,
        )
    return found


@pytest.fixture
def initialised(terraform: Terraform, tmp_path: Path):
    """Return a function that copies `infra/` and initialises one folder of the copy.

    The lock file of a mirror is none for the repository.
    """

    def copy(folder: str) -> Path:
        shutil.copytree(
            INFRA,
            tmp_path / "infra",
            ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars*"),
        )
        started = terraform(
            "init",
            "-backend=false",
            "-input=false",
            "-no-color",
            folder=tmp_path / "infra" / folder,
        )
        assert started.returncode == 0, started.stdout + started.stderr
        return tmp_path / "infra" / folder

    return copy


def outcomes(shown: str) -> dict[str, str]:
    """Return pass, fail or skip of each run, from what `terraform test` prints."""
    return dict(re.findall(r'run "(\w+)"\.\.\. (pass|fail|skip)', shown))


def declared_runs(folder: Path) -> set[str]:
    """Return the names of the runs in a folder's test files."""
    return {
        name
        for path in folder.glob("tests/*.tftest.hcl")
        for name in re.findall(r'^run "(\w+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    }


@pytest.mark.slow
def test_files_are_formatted(terraform: Terraform) -> None:
    shown = terraform("fmt", "-check", "-recursive", "-diff", str(INFRA), folder=INFRA)
    assert shown.returncode == 0, (
        f"run `terraform fmt -recursive infra`:\n{shown.stdout}{shown.stderr}"
    )


@pytest.mark.slow
@pytest.mark.parametrize("folder", tools.FOLDERS)
def test_configuration_is_valid_and_makes_what_it_says(
    terraform: Terraform, initialised, folder: str
) -> None:
    copy = initialised(folder)
    valid = terraform("validate", "-no-color", folder=copy)
    assert valid.returncode == 0, valid.stdout + valid.stderr
    assert "Warning" not in valid.stdout, valid.stdout
    tested = terraform("test", "-no-color", folder=copy)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert outcomes(tested.stdout) == dict.fromkeys(declared_runs(copy), "pass")


FAULTS = (  # a fault in the configuration, and the run that must see it
    (
        "storage.tf",
        'min_tls_version                   = "TLS1_2"',
        'min_tls_version                   = "TLS1_0"',
        "lake_is_hierarchical_and_closed",
    ),
    (
        "eventhub.tf",
        "local_authentication_enabled = false",
        "local_authentication_enabled = true",
        "events_and_workspace_are_closed",
    ),
    (
        "storage.tf",
        "greater_than = rule.value.days",
        "greater_than = rule.value.days + 1",
        "files_are_deleted_when_the_contracts_say",
    ),
    (
        "storage.tf",
        "prefix_match = [rule.key]",
        'prefix_match = [trimsuffix(rule.key, "/")]',
        "files_are_deleted_when_the_contracts_say",
    ),
    (
        "roles.tf",
        "scope = container.id, role",
        "scope = azurerm_storage_account.lake.id, role",
        "roles_are_few_and_narrow",
    ),
    (
        "monitoring.tf",
        "contact_emails = var.budget.emails",
        "contact_emails = []",
        "audit_logs_and_budget_tell_somebody",
    ),
    ("main.tf", "  tags     = var.tags", "", "every_resource_has_the_tags_and_the_region"),
    (
        "main.tf",
        "resource_group_name = azurerm_resource_group.lakehouse.name",
        'resource_group_name = "NetworkWatcherRG"',
        "network_watcher_goes_with_the_rest",
    ),
    (
        "variables.tf",
        'regex("^[a-z0-9]{3,24}$", var.storage_account_name)',
        'regex("^[a-z0-9]+$", var.storage_account_name)',
        "storage_account_has_at_most_24_characters",
    ),
)


def give_each_run_its_file(folder: Path, wanted: set[str]) -> None:
    """Split the test files, so that a run that fails keeps no other from running."""
    for path in list(folder.glob("tests/*.tftest.hcl")):
        head, *runs = re.split(r"^(?=run \")", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for run in runs:
            name = run.split('"')[1]
            if name in wanted:
                path.with_name(f"{name}.tftest.hcl").write_text(head + run, encoding="utf-8")
        path.unlink()


@pytest.mark.slow
def test_each_fault_is_seen_by_its_run(terraform: Terraform, initialised) -> None:
    copy = initialised("azure")
    for file, right, wrong, _ in FAULTS:
        text = (copy / file).read_text(encoding="utf-8")
        assert right in text, f"{file} has no {right!r}"
        (copy / file).write_text(text.replace(right, wrong), encoding="utf-8")
    seen_by = {run for *_, run in FAULTS}
    give_each_run_its_file(copy, seen_by)
    assert outcomes(terraform("test", "-no-color", folder=copy).stdout) == dict.fromkeys(
        seen_by, "fail"
    )


@pytest.mark.slow
def test_unknown_argument_and_type_are_refused(terraform: Terraform, initialised) -> None:
    copy = initialised("state")
    with (copy / "main.tf").open("a", encoding="utf-8") as file:
        file.write(
            'resource "azurerm_resource_group" "wrong" {\n  nam = "x"\n  location = ["x"]\n}\n'
        )
    shown = terraform("validate", "-json", folder=copy)
    faults = [fault["summary"] for fault in json.loads(shown.stdout)["diagnostics"]]
    assert sorted(faults) == [
        "Incorrect attribute value type",
        "Missing required argument",
        "Unsupported argument",
    ]


@pytest.mark.slow
def test_stand_in_makes_nothing(terraform: Terraform, initialised) -> None:
    if terraform.providers.real:
        pytest.skip("the real providers checked, and a real plan needs a subscription")
    copy = initialised("state")
    values = {
        "subscription_id": "00000000-0000-0000-0000-000000000001",
        "location": "brazilsouth",
        "resource_group_name": "rsgdrisktf",
        "storage_account_name": "stadrisktf",
        "tags": {"domain": "risk", "project": "datamaster", "env": "prod"},
        "writers": {"ana": {"object_id": "00000000-0000-0000-0000-00000000000a", "type": "User"}},
    }
    (copy / "terraform.tfvars.json").write_text(json.dumps(values), encoding="utf-8")
    shown = terraform("plan", "-input=false", "-no-color", folder=copy)
    assert shown.returncode == 1
    assert "A stand-in provider plans and makes nothing" in shown.stderr


@pytest.mark.slow
@pytest.mark.parametrize("folder", tools.FOLDERS)
def test_tflint_finds_nothing(folder: str) -> None:
    shown = subprocess.run(
        [str(tools.tflint()), f"--config={INFRA / '.tflint.hcl'}", f"--chdir={INFRA / folder}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr


@pytest.mark.slow
def test_tflint_sees_a_variable_that_nothing_uses(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('variable "unused" {}\n', encoding="utf-8")
    shown = subprocess.run(
        [
            str(tools.tflint()),
            f"--config={INFRA / '.tflint.hcl'}",
            f"--chdir={tmp_path}",
            "--format=json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert {
        "terraform_unused_declarations",
        "terraform_documented_variables",
        "terraform_typed_variables",
    } <= {issue["rule"]["name"] for issue in json.loads(shown.stdout)["issues"]}


@pytest.mark.slow
def test_checkov_finds_nothing_that_is_not_answered() -> None:
    shown = subprocess.run(
        [
            *tools.checkov(),
            "-d",
            str(INFRA),
            "--framework",
            "terraform",
            "--output",
            "json",
            "--skip-download",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(shown.stdout)
    assert [
        f"{check['check_id']} {check['resource']} {check['file_path']}"
        for check in report["results"]["failed_checks"]
    ] == [], shown.stderr
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 20


def variables(folder: str) -> dict[str, str]:
    """Return the text of each variable's block, by its name."""
    text = (INFRA / folder / "variables.tf").read_text(encoding="utf-8")
    return dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("folder", tools.FOLDERS)
def test_every_variable_is_described_typed_validated_and_refused_in_a_test(folder: str) -> None:
    refusals = "".join(
        path.read_text(encoding="utf-8") for path in (INFRA / folder / "tests").glob("*.tftest.hcl")
    )
    refused = set(
        re.findall(
            r"var\.(\w+)", " ".join(re.findall(r"expect_failures = \[(.*?)\]", refusals, re.DOTALL))
        )
    )
    for name, block in variables(folder).items():
        assert "  description = " in block and re.search(r"^  type +=", block, re.MULTILINE), name
        assert "  nullable    = false" in block or re.search(
            r"^  default += null", block, re.MULTILINE
        ), name
        if not re.search(r"^  type += bool$", block, re.MULTILINE):
            assert "  validation {" in block, name
            assert name in refused, f"no test refuses a bad {name}"


def sample_project() -> Project:
    """Return the sample project with the `setup:` that its file shows in comments."""
    text = (ROOT / "datamaster.yaml").read_text(encoding="utf-8")
    shown = yaml.safe_load(
        "\n".join(line[2:] for line in text[text.index("# setup:") :].splitlines())
    )
    return replace(read_project(ROOT), setup=shown["setup"])


def sample_variables(folder: str) -> dict[str, object]:
    """Return what the sample project gives to a folder of `infra/`."""
    project = sample_project()
    setup = setup_of(project)
    outputs = {
        "group_ids": {"data_engineer": "00000000-0000-0000-0000-0000000000a0"},
        "service_principal_object_id": "00000000-0000-0000-0000-0000000000b2",
    }
    if folder == "azure":
        return azure_variables(project, setup, read_contracts(project), outputs)
    return state_variables(project, setup) if folder == "state" else entra_variables(project, setup)


@pytest.mark.parametrize("folder", tools.FOLDERS)
def test_toolkit_gives_every_variable_that_has_no_default_and_no_other(folder: str) -> None:
    given, declared = set(sample_variables(folder)), variables(folder)
    needed = {
        name
        for name, block in declared.items()
        if not re.search(r"^  default +=", block, re.MULTILINE)
    }
    assert needed <= given <= set(declared)
    if folder == "azure":
        assert set(AZURE_KEYS.of) == set(declared) - needed - {"retention"}


DAYS_OF_THE_SAMPLES = """
  assert {
    condition = alltrue([
      for folder, days in { account = 1, consents = 30, flights = 3660 } : contains([
        for rule in azurerm_storage_management_policy.retention[0].rule :
        "${one(rule.filters[0].prefix_match)} \
${rule.actions[0].base_blob[0].delete_after_days_since_modification_greater_than}"
      ], "ctrdriskraw/${folder}/ ${days}")
    ])
    error_message = "The days are not those of the sample contracts."
  }
"""


@pytest.mark.slow
@pytest.mark.parametrize("folder", tools.FOLDERS)
def test_sample_project_and_its_contracts_are_accepted(
    terraform: Terraform, initialised, folder: str
) -> None:
    copy = initialised(folder)
    for path in copy.glob("tests/*.tftest.hcl"):
        path.unlink()
    days = DAYS_OF_THE_SAMPLES if folder == "azure" else ""
    (copy / "tests" / "sample.tftest.hcl").write_text(
        f'mock_provider "{"azuread" if folder == "entra" else "azurerm"}" {{\n  source       '
        f'   = "./tests/mocks"\n  override_during = plan\n}}\n\n'
        f'run "sample" {{\n  command = plan\n{days}}}\n',
        encoding="utf-8",
    )
    (copy / "terraform.tfvars.json").write_text(
        render_tfvars(sample_variables(folder)), encoding="utf-8"
    )
    shown = terraform("test", "-no-color", folder=copy)
    assert outcomes(shown.stdout) == {"sample": "pass"}, shown.stdout + shown.stderr


def test_suppressions_give_their_reason() -> None:
    skips = [
        line
        for path in FILES
        for line in path.read_text(encoding="utf-8").splitlines()
        if "checkov:skip" in line or "tflint-ignore" in line
    ]
    assert skips
    assert all(re.fullmatch(r"\s*#checkov:skip=CKV2?_AZURE_\d+: .{8,}", line) for line in skips), (
        skips
    )


def test_no_secret_is_made_or_kept() -> None:
    keeps = re.compile(
        r"password|client_secret|(?<!shared)_access_key|connection_string|sas_token|"
        r"sensitive\s*=|azuread_user\"|_certificate\"",
        re.IGNORECASE,
    )
    found = [
        f"{path.name}: {line.strip()}"
        for path in FILES
        for line in path.read_text(encoding="utf-8").splitlines()
        if keeps.search(line.split("#")[0]) and not line.startswith('data "azuread_user"')
    ]
    assert found == []


def test_stand_ins_know_what_is_used() -> None:
    schemas = json.loads(gzip.decompress((tools.STAND_IN / "schemas.json.gz").read_bytes()))[
        "provider_schemas"
    ]
    recorded = {
        kind
        for provider in schemas.values()
        for part in ("resource_schemas", "data_source_schemas")
        for kind in provider[part]
    }
    assert recorded == tools.used(), "record the schemas anew: see tools/terraform.py"
    assert {address.split("/", 1)[1] for address in schemas} == set(tools.pins())


@pytest.mark.slow
def test_a_mirror_that_was_fetched_is_unpacked_and_installs(
    terraform: Terraform, tmp_path: Path
) -> None:
    source, pinned = "hashicorp/azuread", tools.pins()["hashicorp/azuread"]
    folder = tmp_path / "mirror" / tools.REGISTRY / source
    folder.mkdir(parents=True)
    program = next((tools.stand_ins() / tools.REGISTRY / source).rglob("terraform-provider-*"))
    with zipfile.ZipFile(
        folder / f"terraform-provider-azuread_{pinned}_{tools.system()}.zip", "w"
    ) as archive:
        archive.write(program, program.name)
    (folder / "index.json").write_text('{"versions": {}}', encoding="utf-8")
    tools.unpack(tmp_path / "mirror")
    assert [path.relative_to(folder).parts for path in folder.rglob("*") if path.is_file()] == [
        (pinned, tools.system(), program.name)
    ]
    shutil.copytree(
        INFRA / "entra", tmp_path / "entra", ignore=shutil.ignore_patterns(".terraform*")
    )
    mirrored = Terraform(terraform.command, tools.Providers(tmp_path / "mirror", True))
    assert mirrored("init", "-backend=false", folder=tmp_path / "entra").returncode == 0
    assert mirrored("validate", folder=tmp_path / "entra").returncode == 0


def test_recording_keeps_attributes_that_are_named_description() -> None:
    block = {
        "description": "text",
        "attributes": {"description": {"type": "string", "optional": True, "description": "text"}},
        "block_types": {
            "inner": {
                "nesting_mode": "list",
                "block": {"description_kind": "plain", "attributes": {}},
            }
        },
    }
    assert tools.without_descriptions(block) == {
        "attributes": {"description": {"type": "string", "optional": True}},
        "block_types": {"inner": {"nesting_mode": "list", "block": {"attributes": {}}}},
    }
