"""MLflow as the connecting layer: join the run one is started under, or start one; files come first.

Everything here does nothing when MLflow is not installed, so that the light packages work without it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

DEFAULT_STORE = "sqlite:///mlflow.db"
MAX_PARAM_CHARS = 500


def available() -> bool:
    """Whether MLflow is installed and not switched off by ``MEDCTX_TRACKING=off``."""
    return os.environ.get("MEDCTX_TRACKING", "on") != "off" and find_spec("mlflow") is not None


def client() -> ModuleType:
    """The mlflow module, pointed at ``MLFLOW_TRACKING_URI`` or at a sqlite file in the working directory."""
    os.environ.setdefault("MLFLOW_TRACKING_URI", DEFAULT_STORE)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    return mlflow


class Run:
    """One MLflow run, or nothing where MLflow is absent. All names are prefixed with the step's."""

    def __init__(self, mlflow: ModuleType | None, prefix: str) -> None:
        self._mlflow = mlflow
        self._prefix = prefix

    @property
    def id(self) -> str:
        """The run's id, empty without MLflow."""
        run = self._mlflow.active_run() if self._mlflow else None
        return str(run.info.run_id) if run else ""

    def params(self, values: Mapping[str, object]) -> None:
        """Log parameters as ``prefix.key``; values already logged under a key are kept as they are."""
        if not self._mlflow:
            return
        known = self._mlflow.get_run(self.id).data.params
        wanted = {f"{self._prefix}.{key}": str(value)[:MAX_PARAM_CHARS] for key, value in values.items()}
        self._mlflow.log_params({key: value for key, value in wanted.items() if key not in known})

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics as ``prefix.key``."""
        if self._mlflow:
            self._mlflow.log_metrics({f"{self._prefix}.{key}": value for key, value in values.items()}, step=step)

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags as ``medctx.key``."""
        if self._mlflow:
            self._mlflow.set_tags({f"medctx.{key}": value for key, value in values.items()})

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Attach a file or a folder."""
        if not self._mlflow:
            return
        if path.is_dir():
            self._mlflow.log_artifacts(str(path), folder or path.name)
        else:
            self._mlflow.log_artifact(str(path), folder)

    def dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        """Log a data set by its file, name and digest (MLflow keeps 36 characters of it)."""
        if not self._mlflow:
            return
        from mlflow.data.dataset_source_registry import resolve_dataset_source
        from mlflow.data.meta_dataset import MetaDataset

        with warnings.catch_warnings():
            # MLflow registers its local source several times and warns that it has to choose.
            warnings.simplefilter("ignore", UserWarning)
            source = resolve_dataset_source(str(path.resolve()))
        logged = MetaDataset(source, name=name, digest=digest[:36])  # type: ignore[abstract]
        self._mlflow.log_input(logged, context=context)


@contextmanager
def run(prefix: str, name: str, *, experiment: str = "medctx") -> Iterator[Run]:
    """Join the run named by ``MLFLOW_RUN_ID``, or start one.

    A run that ends by an error is marked FAILED, one that is interrupted KILLED, never left RUNNING.
    """
    if not available():
        yield Run(None, prefix)
        return
    mlflow = client()
    joined = os.environ.get("MLFLOW_RUN_ID", "")
    active = mlflow.active_run()
    if not joined and not active and not os.environ.get("MLFLOW_EXPERIMENT_ID"):
        mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", experiment))
    started = (
        mlflow.start_run(run_id=joined)
        if joined and not active
        else mlflow.start_run(run_name=name, nested=active is not None)
    )
    try:
        with started:
            yield Run(mlflow, prefix)
    except KeyboardInterrupt:
        mlflow.MlflowClient().set_terminated(started.info.run_id, "KILLED")
        raise
