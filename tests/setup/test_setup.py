"""`datamaster setup`: real Terraform over stand-in providers, which make, change and destroy in a
world of files, with the states in a store that locks.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from resource_manager.server import ResourceManager, Subscription
from state_store import StateStore

from datamaster_kit.project.project_file import read_project
from datamaster_kit.setup.parts import azure_state_storage, prepare_working_folder
from datamaster_kit.setup.variables import entra_variables, setup_of, state_variables
from datamaster_kit.targets.clients.management import Management

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import terraform as tools  # noqa: E402

SECRET = 'a-token&sig=that <"nobody\'s"> may-sée'
SETUP = {
    "subscription": "00000000-0000-0000-0000-000000000001",
    "tenant": "00000000-0000-0000-0000-000000000002",
    "location": "brazilsouth",
    "writers": {"ana": {"object_id": "00000000-0000-0000-0000-000000000003", "type": "User"}},
    "budget": {"amount": 500, "emails": ["risk-data@example.com"]},
    "github": {"repository": "example/lakehouse", "environments": ["prod"]},
    "groups": {"data_engineer": ["ana@example.com"]},
}
pytestmark = pytest.mark.slow


class Place:
    """A project in a folder of its own, the world of its providers and the store of its states."""

    def __init__(self, folder: Path, store: StateStore, environment: dict[str, str]) -> None:
        self.folder, self.world, self.store = folder / "project", folder / "world", store
        self.environment = environment | {
            "STAND_IN_WORLD": str(self.world),
            "STATE_STORE": store.address,
            "GITHUB_TOKEN": SECRET,
        }
        shutil.copytree(ROOT / "contracts", self.folder / "contracts")
        self.world.mkdir()
        self.describe()

    def describe(self, **setup: object) -> None:
        """Write the project file, whose `setup:` says something else."""
        (self.folder / "datamaster.yaml").write_text(
            json.dumps({"domain": "risk", "catalog": "risk", "setup": {**SETUP, **setup}}),
            encoding="utf-8",
        )

    def faults(self, **told: object) -> None:
        """Have resources of a type fail or take their time: fail={TYPE.

        MESSAGE}, pause={TYPE: SECONDS}.
        """
        (self.world / "faults.json").write_text(json.dumps(told), encoding="utf-8")

    def taken_from(self, other: Place) -> Place:
        """Have the world and the states of another place."""
        shutil.copytree(other.world, self.world, dirs_exist_ok=True)
        self.store.objects |= other.store.objects
        return self

    def start(self, *arguments: str, verb: str = "setup") -> subprocess.Popen[str]:
        """Start `datamaster setup`, or another verb of `datamaster`."""
        return subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "setup_run.py"), verb, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0, verb: str = "setup") -> tuple[str, str]:
        """Run `datamaster setup`, or another verb, to its end, and return what it printed and
        told.
        """
        process = self.start(*arguments, verb=verb)
        printed, told = process.communicate(timeout=300)
        assert process.returncode == code, (
            f"{arguments}: {process.returncode}\n{printed[-3000:]}\n{told[-3000:]}"
        )
        return printed, told

    def pending(self, *arguments: str) -> list[str]:
        """Return what a plan would do, a text a change."""
        changes = json.loads(self.run("plan", "--json", *arguments)[0])["changes"]
        return [
            f"{change['action']} {change['name']}"
            for change in changes
            if change["action"] != "unchanged"
        ]

    def there(self) -> dict[str, int]:
        """Return how many resources of each type the world has."""
        return {
            path.name: len(list(path.glob("*.json")))
            for path in sorted(self.world.iterdir())
            if path.is_dir() and any(path.glob("*.json"))
        }

    def logs(self) -> str:
        """Return all that was logged."""
        return "".join(
            path.read_text(encoding="utf-8")
            for path in sorted(
                (self.folder / ".datamaster" / "setup" / "risk" / "logs").glob("*.log")
            )
        )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return an environment with Terraform on its path and the stand-ins as its providers."""
    folder = tmp_path_factory.mktemp("bin")
    command = tools.terraform()
    (folder / "terraform").write_text(
        "#!/bin/sh\nexec " + " ".join(f"'{part}'" for part in command) + ' "$@"\n', encoding="utf-8"
    )
    (folder / "terraform").chmod(0o755)
    return tools.environment(tools.stand_ins()) | {
        "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def place(tmp_path: Path, environment: dict[str, str]) -> Iterator[Place]:
    """A project of which nothing is made yet."""
    with StateStore() as store:
        yield Place(tmp_path, store, environment)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Place]:
    """A project of which the parts before `azure` are made; left as it is."""
    with StateStore() as store:
        found = Place(tmp_path_factory.mktemp("begun"), store, environment)
        found.run("apply", "--part", "state", "--part", "entra")
        yield found


@pytest.fixture
def prepared(place: Place, begun: Place) -> Place:
    """A project of its own, of which the parts before `azure` are made."""
    return place.taken_from(begun)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Place]:
    """A project all of which is made; a test that changes it puts it back."""
    with StateStore() as store:
        found = Place(tmp_path_factory.mktemp("made"), store, environment)
        found.printed, found.told = found.run("apply")
        yield found


def waited_for(process: subprocess.Popen[str], words: str) -> None:
    """Read what a process tells until some words come."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"{words!r} never came")


def terraform_of(process: subprocess.Popen[str]) -> int:
    """Return the process id of the Terraform that a run has begun."""
    return int(
        subprocess.run(
            ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
        ).stdout.split()[0]
    )


def test_a_plan_shows_all_of_it_before_anything_is_made(place: Place) -> None:
    printed, _ = place.run("plan", "--detailed-exitcode", "--json", code=3)
    changes = json.loads(printed)["changes"]
    assert {change["action"] for change in changes} == {"create"}
    assert {
        "state/state",
        "entra/deployer",
        "azure/lake",
        'azure/purpose["raw"]',
        "azure/retention[0]",
    } <= {change["name"] for change in changes}
    lake = next(
        {item["path"]: item["after"] for item in change["differences"]}
        for change in changes
        if (change["kind"], change["name"]) == ("azurerm_storage_account", "azure/lake")
    )
    assert (lake["name"], lake["min_tls_version"], lake["tags.domain"]) == (
        "stadrisk",
        "TLS1_2",
        "risk",
    )
    assert "00000000-0000-0000-0000-000000000000" not in printed
    assert (place.there(), place.store.states, place.store.locks) == ({}, {}, {})
    assert "36 to create, 0 to update, 0 to delete, 0 unchanged." in place.run("plan")[0]


def test_an_apply_makes_each_part_and_moves_the_state_into_its_storage(made: Place) -> None:
    assert set(made.store.states) == {"state", "entra", "azure"}
    assert made.store.resources("state") >= {"azurerm_storage_account", "azurerm_management_lock"}
    assert sum(made.there().values()) == 36
    assert made.store.locks == {} and {"state", "entra", "azure"} <= set(made.store.locked)
    left = {
        path.name
        for path in (made.folder / ".datamaster").rglob("*")
        if path.suffix in (".tfplan", ".tfstate") and path.parent.name != ".terraform"
    }
    assert left == set()
    group, roles = (
        list((made.world / kind).glob("*.json"))
        for kind in ("azuread_group", "azurerm_role_assignment")
    )
    assert json.loads(group[0].read_text())["object_id"] in {
        json.loads(path.read_text())["principal_id"] for path in roles
    }
    assert re.search(
        r"^started: create azurerm_databricks_workspace\.\w+$", made.told, re.MULTILINE
    )
    assert re.search(r"^done: create azurerm_databricks_workspace\.\w+", made.told, re.MULTILINE)
    assert re.search(r"^  workspace_url: https://adb-\S+$", made.printed, re.MULTILINE)


def test_a_second_apply_changes_nothing(made: Place) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.world.rglob("*.json")}
    assert (
        made.run("plan", "--detailed-exitcode")[0]
        == "0 to create, 0 to update, 0 to delete, 36 unchanged.\n"
    )
    printed = json.loads(made.run("apply", "--json")[0])
    assert {change["action"] for change in printed["changes"]} == {"unchanged"}
    assert {path: path.stat().st_mtime_ns for path in made.world.rglob("*.json")} == before


def test_outputs_are_what_the_next_steps_read(made: Place) -> None:
    found = json.loads(made.run("output", "--json")[0])
    assert list(found) == ["state", "entra", "azure"]
    assert found["state"]["backend"]["storage_account_name"] == "stadrisktf"
    assert {"workspace_url", "container_urls", "eventhub_bootstrap_servers"} <= set(found["azure"])
    lines = made.run("output", "--part", "azure")[0].splitlines()
    # whole, however narrow the terminal is
    assert (
        f"  workspace_url: {found['azure']['workspace_url']}" in lines
        and f"    raw: {found['azure']['container_urls']['raw']}" in lines
    )


def test_the_ids_that_the_project_file_lacks_are_told(made: Place) -> None:
    found = json.loads(made.run("output", "--json")[0])
    told = made.run("output")[1]
    assert all(
        f"note: write into the project file, under the environment that it is of: {key}: {value}"
        in told
        for key, value in (
            ("unity.service_principal", found["entra"]["service_principal_client_id"]),
            ("unity.group_ids.data_engineer", found["entra"]["group_ids"]["data_engineer"]),
        )
    )


def test_what_takes_long_before_the_first_resource_is_told(made: Place) -> None:
    told = made.run("plan")[1]
    assert told.splitlines() == [
        "started: plan the part state",
        "started: plan the part entra",
        "started: plan the part azure",
    ]
    assert "started: read the part azure" in made.run("output")[1]


def test_another_version_of_a_provider_takes_the_place_of_the_one_that_was_locked(
    made: Place,
) -> None:
    working = made.folder / ".datamaster" / "setup" / "risk" / "entra"
    pinned = tools.pins()["hashicorp/azuread"]
    for name in (
        "versions.tf",
        ".terraform.lock.hcl",
    ):  # as a release of the toolkit with an older pin left them
        text = (working / name).read_text(encoding="utf-8")
        assert pinned in text
        (working / name).write_text(text.replace(pinned, "3.0.0"), encoding="utf-8")
    assert made.pending("--part", "entra") == []
    locked = (working / ".terraform.lock.hcl").read_text(encoding="utf-8")
    assert pinned in locked
    made.run("plan", "--part", "entra")
    assert (working / ".terraform.lock.hcl").read_text(encoding="utf-8") == locked


def test_a_second_environment_looks_up_the_group_that_the_first_one_made(made: Place) -> None:
    text = (made.folder / "datamaster.yaml").read_text(encoding="utf-8")
    data = json.loads(text) | {
        "environments": {"prod": {"setup": {"existing_groups": ["data_engineer"]}}}
    }
    (made.folder / "datamaster.yaml").write_text(json.dumps(data), encoding="utf-8")
    made.environment["DATAMASTER_ENVIRONMENT"] = "prod"
    changes = json.loads(made.run("plan", "--json")[0])["changes"]
    del made.environment["DATAMASTER_ENVIRONMENT"]
    (made.folder / "datamaster.yaml").write_text(text, encoding="utf-8")
    assert (
        {change["action"] for change in changes} == {"create"}
        and len(changes) == 35
        and "azuread_group" not in {change["kind"] for change in changes}
    )


def test_what_the_project_says_otherwise_is_an_update_and_what_is_gone_is_made_again(
    made: Place,
) -> None:
    made.describe(budget={"amount": 900, "emails": ["risk-data@example.com"]})
    shown = made.run("plan", "--part", "azure")[0]
    assert re.search(
        r"~ azurerm_consumption_budget_resource_group azure/\w+\n    amount: 500 → 900\n", shown
    )
    made.run("apply", "--part", "azure")
    made.describe()
    next((made.world / "azurerm_network_watcher").glob("*.json")).unlink()
    assert sorted(made.pending()) == ["create azure/region[0]", "update azure/month"]
    made.run("apply")
    assert made.pending() == []


def test_nothing_is_deleted_or_made_anew_unless_that_is_allowed(made: Place) -> None:
    before = made.there()
    made.describe(location="westeurope")
    shown = made.run("plan", "--part", "azure")[0]
    assert (
        "location cannot be changed in place, and what it holds is lost: allow it by --allow-delete"
        in shown
    )
    told = made.run("apply", "--part", "azure", code=2)[1]
    assert (
        "error[plan-deletes] delete azurerm_storage_account azure/lake (location cannot be "
        "changed in place" in told
    )
    assert made.there() == before
    made.describe(azure={"network_watcher_is_managed": False})
    assert made.pending("--part", "azure") == ["delete azure/region[0]"]
    made.run("apply", "--part", "azure", "--allow-delete")
    assert set(before) - set(made.there()) == {"azurerm_network_watcher"}
    made.describe()
    made.run("apply", "--part", "azure")
    assert made.there() == before


def test_a_lock_of_somebody_else_is_told_with_who_holds_it(made: Place) -> None:
    made.store.lock(
        "azure",
        {
            "ID": "5e0c8b5e-0000-0000-0000-000000000001",
            "Operation": "OperationTypeApply",
            "Info": "",
            "Who": "bob@elsewhere",
            "Version": "1.11.4",
            "Created": "2026-03-01T08:15:30.123Z",
            "Path": "",
        },
    )
    told = made.run("plan", "--part", "azure", code=1)[1]
    assert (
        "error[state-locked] bob@elsewhere has held the lock since 2026-03-01 08:15:30 UTC, "
        "for Apply (wait until it has ended; where it was killed, `terraform -chdir=" in told
    )
    assert list(made.store.locks) == ["azure"]
    made.store.unlock("azure")


def test_one_part_needs_those_before_it(place: Place) -> None:
    assert (
        "error[no-such-part] there is no part 'azrue' (did you mean 'azure'?)"
        in place.run("plan", "--part", "azrue", code=2)[1]
    )
    assert "error[state-storage-missing]" in place.run("apply", "--part", "azure", code=2)[1]
    place.run("apply", "--part", "state")
    assert "error[entra-output-missing]" in place.run("apply", "--part", "azure", code=2)[1]
    assert place.store.resources("azure") == set() and place.store.locks == {}


def test_a_resource_that_fails_is_told_and_the_next_apply_goes_on(place: Place) -> None:
    place.faults(fail={"azurerm_databricks_workspace": f"QuotaExceeded for {SECRET}"})
    _, told = place.run("apply", code=1)
    assert re.search(
        r"error\[terraform-failed\] \S*databricks.tf:\d+: azurerm_databricks_workspace\.\w+: "
        r"QuotaExceeded for \[value of GITHUB_TOKEN\]",
        told,
    )
    assert "failed: create azurerm_databricks_workspace" in told
    assert (
        place.there()["azurerm_storage_account"] == 2
        and "azurerm_databricks_workspace" not in place.there()
    )
    assert place.store.locks == {}
    assert "may-s" not in place.logs() + told and "[value of GITHUB_TOKEN]" in place.logs()
    assert {
        path.stat().st_mode & 0o077
        for path in (place.folder / ".datamaster" / "setup" / "risk" / "logs").iterdir()
    } == {0}
    place.faults()
    made_before = set(place.world.rglob("*.json"))
    place.run("apply")
    assert made_before <= set(place.world.rglob("*.json")) and place.pending() == []


def test_a_state_that_was_begun_here_moves_when_the_apply_goes_on(place: Place) -> None:
    place.faults(fail={"azurerm_management_lock": "Conflict"})
    assert "Conflict" in place.run("apply", "--part", "state", code=1)[1]
    begun = place.folder / ".datamaster" / "setup" / "risk" / "state" / "bootstrap.tfstate"
    assert begun.exists() and place.store.states == {}
    place.faults()
    assert place.pending("--part", "state") == ["create state/state"]
    place.run("apply", "--part", "state")
    assert not begun.exists() and "azurerm_management_lock" in place.store.resources("state")
    assert place.pending("--part", "state") == []


def test_a_role_that_does_not_count_yet_is_waited_for(place: Place) -> None:
    place.store.refusals = 3
    told = place.run("apply", "--part", "state")[1]
    assert told.count("started: wait for the caller's role on the state's storage") == 3
    assert (
        "azurerm_management_lock" in place.store.resources("state")
        and place.pending("--part", "state") == []
    )
    place.store.refusals = 1
    # who is no writer does not wait
    assert "error[state-not-allowed]" in place.run("plan", "--part", "state", code=1)[1]


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name
)
def test_a_signal_half_way_leaves_no_lock_and_the_next_apply_goes_on(
    prepared: Place, number: signal.Signals
) -> None:
    prepared.faults(pause={"azurerm_databricks_workspace": 2})
    process = prepared.start("apply", "--part", "azure")
    waited_for(process, "started: create azurerm_databricks_workspace")
    assert list(prepared.store.locks) == ["azure"]
    process.send_signal(number)
    time.sleep(0.3)
    process.send_signal(number)  # an impatient second one must not make Terraform drop its state
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1, told
    assert re.search(
        rf"error\[setup-interrupted\] \S+\.log: terraform apply was ended by {number.name} "
        r"\(run it again: it goes on where it stopped\)",
        told,
    )
    assert "interrupted: wait for what is under way" in told
    assert prepared.store.locks == {}
    assert (
        "azurerm_databricks_workspace" in prepared.store.resources("azure")
        and "azurerm_monitor_diagnostic_setting" not in prepared.there()
    )
    prepared.faults()
    prepared.run("apply", "--part", "azure")
    assert prepared.pending() == [] and prepared.there()["azurerm_databricks_workspace"] == 1


def test_a_terminal_that_is_gone_leaves_no_lock(prepared: Place) -> None:
    prepared.faults(pause={"azurerm_databricks_workspace": 1})
    process = prepared.start("apply", "--part", "azure")
    waited_for(process, "started: create azurerm_databricks_workspace")
    for pipe in (process.stderr, process.stdout):
        assert pipe is not None
        pipe.close()
    assert process.wait(timeout=60) != 0
    assert (
        prepared.store.locks == {}
        and "azurerm_databricks_workspace" in prepared.store.resources("azure")
    )
    prepared.run("apply", "--part", "azure")
    assert prepared.pending() == []


def test_a_terraform_that_was_killed_leaves_no_lock(prepared: Place) -> None:
    prepared.faults(pause={"azurerm_databricks_workspace": 300})
    process = prepared.start("apply", "--part", "azure")
    waited_for(process, "started: create azurerm_databricks_workspace")
    os.kill(terraform_of(process), signal.SIGKILL)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "terraform apply was killed by SIGKILL; its lock was released" in told
    assert prepared.store.locks == {}


def test_a_run_that_was_killed_is_told_with_what_releases_its_lock(prepared: Place) -> None:
    prepared.faults(pause={"azurerm_databricks_workspace": 300})
    process = prepared.start("apply", "--part", "azure")
    waited_for(process, "started: create azurerm_databricks_workspace")
    assert "error[setup-in-use]" in prepared.run("plan", code=1)[1]
    terraform = terraform_of(process)
    os.kill(terraform, signal.SIGSTOP)  # it lives, however long the next lines take
    process.kill()
    process.communicate()
    assert "error[setup-in-use]" in prepared.run("plan", code=1)[1]  # Terraform is still at work
    os.killpg(terraform, signal.SIGKILL)
    for _ in range(2):
        told = prepared.run("plan", "--part", "azure", code=1)[1]
        found = re.search(
            r"error\[state-locked\] a run of yours took the lock at \S+ \S+ UTC and was "
            r"killed \(`(terraform -chdir=\S+ force-unlock -force \S+)`, then run again\)",
            told,
        )
        assert found, told
    subprocess.run(found[1].split(), env=prepared.environment, check=True, capture_output=True)
    prepared.faults()
    prepared.run("plan", "--part", "azure")


def test_destroy_wants_the_name_and_leaves_nothing(place: Place, made: Place) -> None:
    place.taken_from(made)
    told = place.run("destroy", "--confirm", "rsgdrisc", code=2)[1]
    assert "error[setup-not-confirmed] 'rsgdrisc' is not 'rsgdrisk': nothing was destroyed" in told
    assert sum(place.there().values()) == 36
    assert (
        "error[state-in-use] the part entra is still there"
        in place.run("destroy", "--part", "state", "--confirm", "rsgdrisk", code=2)[1]
    )
    printed, told = place.run("destroy", "--confirm", "rsgdrisk")
    assert (
        "- azurerm_storage_account azure/lake" in printed
        and "done: delete azurerm_storage_account.lake" in told
    )
    assert place.store.resources("azure") == place.store.resources("entra") == set()
    assert set(place.there()) == place.store.resources("state")
    place.run("destroy", "--part", "state", "--confirm", "rsgdrisk")
    assert place.there() == {} and place.store.locks == {}
    assert (
        place.run("destroy", "--confirm", "rsgdrisk")[0]
        == "0 to create, 0 to update, 0 to delete, 0 unchanged.\n"
    )
    assert not list((place.folder / ".datamaster").rglob("bootstrap.tfstate"))


def test_what_is_missing_is_told_before_anything_runs(place: Place, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for tool in ("sh", "env"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    (tmp_path / "bin" / "terraform").write_text(
        '#!/bin/sh\necho \'{"terraform_version": "1.9.8"}\'\n', encoding="utf-8"
    )
    (tmp_path / "bin" / "terraform").chmod(0o755)
    place.environment["PATH"] = str(tmp_path / "bin")
    assert (
        "error[terraform-missing] terraform on PATH is version 1.9.8"
        in place.run("plan", code=2)[1]
    )
    (tmp_path / "bin" / "terraform").unlink()
    assert "error[terraform-missing] terraform is not on PATH" in place.run("plan", code=2)[1]
    (place.folder / "datamaster.yaml").write_text("domain: risk\ncatalog: risk\n", encoding="utf-8")
    assert "error[no-setup]" in place.run("plan", code=2)[1]
    assert (
        "error[no-such-side] there is no target 'azur' (did you mean 'azure'?)"
        in place.run("plan", "--target", "azur", code=2)[1]
    )


def test_the_step_notebook_does_the_same(place: Place) -> None:
    answer = json.loads(place.run("setup", "-p", "target=azure", "--json", verb="run")[0])["steps"][
        0
    ]
    assert (answer["name"], Path(answer["notebook"]).name, answer["result"]["applied"]) == (
        "setup",
        "01_setup.ipynb",
        36,
    )
    assert "adb-" in answer["result"]["outputs"]["azure"]["workspace_url"]
    shown = (place.folder / answer["notebook"]).read_text(encoding="utf-8")
    assert "36 to create, 0 to update, 0 to delete, 0 unchanged." in shown and "may-s" not in shown
    assert place.pending() == [] and place.store.locks == {}
    place.describe(location="westeurope")
    told = place.run("setup", "-p", "target=azure", verb="run", code=2)[1]
    assert (
        "location cannot be changed in place" in told
        and place.there()["azurerm_storage_account"] == 2
    )


def test_the_step_notebook_makes_folders_on_this_machine(place: Place) -> None:
    for applied in (7 + 2, 0):
        answer = json.loads(place.run("setup", "-p", "target=local", "--json", verb="run")[0])[
            "steps"
        ][0]
        assert answer["result"]["applied"] == applied
    assert (place.folder / ".datamaster" / "landing" / "flights").is_dir()


def test_in_azure_the_states_are_in_the_storage_that_the_first_part_makes(place: Place) -> None:
    project = read_project(place.folder)
    with ResourceManager() as service:
        subscription = service.subscriptions[SETUP["subscription"]] = Subscription(SETUP["tenant"])
        remote = azure_state_storage(
            project,
            setup_of(project),
            lambda: Management(lambda: service.token, service.host, tries=1),
        )
        assert not remote.is_made()
        subscription.put(
            "/resourceGroups/rsgdrisktf/providers/Microsoft.Storage/storageAccounts/stadrisktf",
            location="brazilsouth",
        )
        assert remote.is_made()
        asked = len(service.log)
        assert remote.is_made() and len(service.log) == asked
    backend = remote.backend("azure")
    variables = state_variables(project, setup_of(project))
    assert (backend.kind, backend.settings["key"], backend.settings["use_azuread_auth"]) == (
        "azurerm",
        "azure.tfstate",
        True,
    )
    assert {
        name: backend.settings[name]
        for name in ("resource_group_name", "storage_account_name", "subscription_id")
    } == {
        name: variables[name]
        for name in ("resource_group_name", "storage_account_name", "subscription_id")
    }
    # Terraform knows every setting, and fails only where nobody is logged in.
    prepare_working_folder(
        ROOT / "infra" / "entra",
        place.folder / "entra",
        entra_variables(project, setup_of(project)),
        backend,
    )
    without_az = place.environment | {
        "PATH": place.environment["PATH"].split(os.pathsep)[0],
        "HOME": str(place.folder),
    }
    said = subprocess.run(
        [
            str(shutil.which("terraform", path=place.environment["PATH"])),
            "init",
            "-no-color",
            "-input=false",
        ],
        cwd=place.folder / "entra",
        env=without_az,
        capture_output=True,
        text=True,
        check=False,
    )
    print(said.stderr)
    assert (
        said.returncode == 1
        and "Unsupported" not in said.stderr
        and "Invalid" not in said.stderr
        and "az" in said.stderr
    )


def test_on_this_machine_it_is_folders(place: Place) -> None:
    place.environment["PATH"] = ""  # no Terraform is needed
    shown = place.run("plan", "--target", "local", "--detailed-exitcode", code=3)[0]
    assert (
        "+ folder .datamaster/landing/account\n" in shown
        and "+ folder .datamaster/warehouse/crisk\n" in shown
    )
    place.run("apply", "--target", "local")
    assert place.run("plan", "--target", "local", "--detailed-exitcode")[0].startswith(
        "0 to create, 0 to update, 0 to delete"
    )
    found = json.loads(place.run("output", "--target", "local", "--json")[0])["folders"]
    assert all(Path(folder).is_dir() for folder in found.values()) and set(found) == {
        "landing",
        "warehouse",
        "volumes",
    }
    (Path(found["landing"]) / "account" / "new.csv").touch()
    assert (
        "'risk' is not 'crisk'"
        in place.run("destroy", "--target", "local", "--confirm", "risk", code=2)[1]
    )
    place.run("destroy", "--target", "local", "--confirm", "crisk")
    assert (
        not Path(found["warehouse"]).exists() and not (Path(found["landing"]) / "account").exists()
    )
