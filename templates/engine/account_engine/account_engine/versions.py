"""Where the versions of the model are kept: MLflow where there is one, else a folder."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import joblib
import sklearn

from datamaster_kit.contract.fault import DatamasterError, code
from datamaster_kit.project.project_file import Project
from datamaster_kit.targets.base import Target

NAME = "account_engine"
NO_VERSION = code(
    "account-engine-no-version",
    "There is no such version of the model.",
    "train one: python -m account_engine.main train",
)
NOT_TRAINED_SO = code(
    "account-engine-other-model",
    "What is kept as a version is not the model that was trained, or is of another scikit-learn.",
    "train again, and find out who changed it",
)


@dataclass(frozen=True)
class Version:
    """A version of the model: its name, its hash and how good it was."""

    name: str
    sha256: str
    metrics: dict[str, float]


class Versions(Protocol):
    """What keeps versions."""

    def save(self, model: Any, metrics: dict[str, float], sample: Any) -> Version:
        """Keep a model as the newest version; the same model is the same version."""

    def load(self, name: str = "") -> tuple[Version, Any]:
        """Return a version, the newest by default, with its model."""


def model_bytes(model: Any) -> bytes:
    """Return a model as it is kept; the same model is the same bytes."""
    content = io.BytesIO()
    joblib.dump(model, content)
    return content.getvalue()


@dataclass(frozen=True)
class FolderVersions:
    """Versions in a folder: each in one of its own, named by the hash, and `newest`."""

    folder: Path

    def save(self, model: Any, metrics: dict[str, float], sample: Any) -> Version:
        """Keep a model as the newest version; one that is killed leaves the last as it was."""
        content = model_bytes(model)
        digest = hashlib.sha256(content).hexdigest()
        version = Version(digest[:12], digest, metrics)
        place = self.folder / version.name
        place.mkdir(parents=True, exist_ok=True)
        said = {"sha256": digest, "metrics": metrics, "scikit_learn": sklearn.__version__}
        self._write(place / "model.joblib", content)
        self._write(place / "model.json", json.dumps(said, indent=1).encode())
        self._write(self.folder / "newest", version.name.encode())
        return version

    def load(self, name: str = "") -> tuple[Version, Any]:
        """Return a version with its model; raises DatamasterError where it is not what it was."""
        try:
            name = name or (self.folder / "newest").read_text(encoding="utf-8")
            if Path(name).name != name:
                raise FileNotFoundError(name)
            said = json.loads((self.folder / name / "model.json").read_text(encoding="utf-8"))
            content = (self.folder / name / "model.joblib").read_bytes()
        except FileNotFoundError:
            said = f"{self.folder} has no version {name}".rstrip()
            raise DatamasterError(NO_VERSION.fault(said)) from None
        digest = hashlib.sha256(content).hexdigest()
        # joblib runs what a file says: nothing is loaded but what was trained
        if digest != said["sha256"] or not digest.startswith(name):
            raise DatamasterError(NOT_TRAINED_SO.fault(f"{NAME} {name} has another hash"))
        if said["scikit_learn"] != sklearn.__version__:
            told = f"{NAME} {name} is of {said['scikit_learn']}, here is {sklearn.__version__}"
            raise DatamasterError(NOT_TRAINED_SO.fault(told))
        return Version(name, digest, said["metrics"]), joblib.load(io.BytesIO(content))

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        beside = path.with_name(f".{path.name}")
        beside.write_bytes(content)
        beside.replace(path)


@dataclass(frozen=True)
class MlflowVersions:
    """Versions in the registry of MLflow; `registry` is empty for that of its settings."""

    name: str
    registry: str = ""

    def save(self, model: Any, metrics: dict[str, float], sample: Any) -> Version:
        """Keep a model as the newest version, unless it is the newest already."""
        import mlflow

        digest = hashlib.sha256(model_bytes(model)).hexdigest()
        newest = self._versions()[-1:]
        if newest and newest[0].tags.get("sha256") == digest:
            return Version(str(newest[0].version), digest, metrics)
        with mlflow.start_run(run_name=NAME):
            mlflow.log_metrics(metrics)
            kept = mlflow.sklearn.log_model(
                model,
                artifact_path="model",
                signature=mlflow.models.infer_signature(sample, model.predict(sample)),
                registered_model_name=self.name,
            )
        number = str(kept.registered_model_version)
        self._client().set_model_version_tag(self.name, number, "sha256", digest)
        return Version(number, digest, metrics)

    def load(self, name: str = "") -> tuple[Version, Any]:
        """Return a version with its model; raises DatamasterError where there is none."""
        import mlflow

        fitting = [item for item in self._versions() if name in ("", str(item.version))]
        if not fitting:
            raise DatamasterError(NO_VERSION.fault(f"MLflow has no version {name} of {self.name}"))
        found = fitting[-1]
        metrics = self._client().get_run(found.run_id).data.metrics
        model = mlflow.sklearn.load_model(f"models:/{self.name}/{found.version}")
        return Version(str(found.version), found.tags.get("sha256", ""), metrics), model

    def _client(self) -> Any:
        import mlflow

        if self.registry:
            mlflow.set_registry_uri(self.registry)
        return mlflow.MlflowClient()

    def _versions(self) -> list[Any]:
        """Return the versions, oldest first."""
        found = self._client().search_model_versions(f"name = '{self.name}'")
        return sorted(found, key=lambda item: int(item.version))


def versions_of(target: Target, project: Project) -> Versions:
    """Return where a target's versions are kept."""
    if find_spec("mlflow"):
        if target.name == "local":
            return MlflowVersions(NAME)
        return MlflowVersions(f"{project.names.catalog}.gold.{NAME}", "databricks-uc")
    volume = target.volume_folder("bronze", project.names.checkpoint_volume)
    return FolderVersions(Path(volume, "engine-models", NAME))
