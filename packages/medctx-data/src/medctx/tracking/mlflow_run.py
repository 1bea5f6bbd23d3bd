"""MLflow as the connecting layer: join the run one is started under, or start one; files come first.

Everything here does nothing when MLflow is not installed, so that the light packages work without it.
"""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.io.jsonl import write_text
from medctx.tracking import logged_adapter
from medctx.tracking.logged_adapter import AdapterCard
from medctx.tracking.run_reaper import OWNER_TAG, watched

if TYPE_CHECKING:
    from types import ModuleType

DEFAULT_STORE = "sqlite:///mlflow.db"
MAX_PARAM_CHARS = 500
CONTINUED_TAG = "medctx.continued_in"
"""On a run that was made for a start which went on with an earlier run: the id of that one."""


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
        requested = {f"{self._prefix}.{key}": str(value)[:MAX_PARAM_CHARS] for key, value in values.items()}
        self._mlflow.log_params({key: value for key, value in requested.items() if key not in known})

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics as ``prefix.key``."""
        if self._mlflow:
            self._mlflow.log_metrics({f"{self._prefix}.{key}": value for key, value in values.items()}, step=step)

    def last_step(self, key: str) -> int:
        """The last step at which a metric was logged, -1 where it never was."""
        if not self._mlflow:
            return -1
        logged = self._mlflow.MlflowClient().get_metric_history(self.id, f"{self._prefix}.{key}")
        return max((int(one.step) for one in logged), default=-1)

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

    def adapter(
        self,
        name: str,
        folder: Path,
        card: AdapterCard,
        params: Mapping[str, object],
        metrics: Mapping[str, float] | None = None,
    ) -> str:
        """Log an adapter as a model of the run, ``metrics`` (``prefix.key``) tied to it; returns its id, or "".

        MLflow gives such metrics to the run as well: they must not be the names of a curve. See
        :mod:`medctx.tracking.logged_adapter`.
        """
        if not self._mlflow:
            return ""
        model_id = logged_adapter.log(self._mlflow, name, folder, card, params)
        own = {f"{self._prefix}.{key}": value for key, value in (metrics or {}).items()}
        if own:
            self._mlflow.log_metrics(own, model_id=model_id)
        return model_id

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


_run_ids: list[str] = []
"""Of the runs this process logged into."""


def last_run_id() -> str:
    """The ID of the run this process logged into last, "" where it logged into none."""
    return _run_ids[-1] if _run_ids else ""


def _known(mlflow: ModuleType, keep: Path | None) -> str:
    """The run whose id a file keeps, if the store still has it."""
    if keep is None or not keep.is_file():
        return ""
    found = keep.read_text().strip()
    try:
        stage = mlflow.get_run(found).info.lifecycle_stage
    except mlflow.exceptions.MlflowException:
        return ""
    return found if stage == "active" else ""


def _start(mlflow: ModuleType, name: str, experiment: str, told: str, kept: str, *, measured: bool | None) -> str:
    """Join the run told or kept, else start one; returns its id. A run within a run is its child."""
    active = mlflow.active_run()
    joined = told or kept
    if joined and not active:
        # MLflow refuses a run of another experiment than the one this process used before, and forgets the variable.
        mlflow.set_experiment(experiment_id=mlflow.get_run(joined).info.experiment_id)
        if told:
            os.environ["MLFLOW_RUN_ID"] = told
        return str(mlflow.start_run(run_id=joined, log_system_metrics=measured).info.run_id)
    if not active and not os.environ.get("MLFLOW_EXPERIMENT_ID"):
        mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", experiment))
    started = mlflow.start_run(run_name=name, nested=active is not None, log_system_metrics=measured)
    return str(started.info.run_id)


@contextmanager
def run(
    prefix: str,
    name: str,
    *,
    experiment: str = "medctx",
    keep: Path | None = None,
    kept_first: bool = False,
    system_metrics: bool = False,
) -> Iterator[Run]:
    """Join the run named by ``MLFLOW_RUN_ID``, or the one whose id the file ``keep`` holds, or start one.

    ``keep`` is written with the run's id, so that the next start goes on with the same run. ``kept_first``: a kept
    run comes before ``MLFLOW_RUN_ID``, whose run is only told where the other is (``mlflow run`` makes a new run for
    every start of a study). ``system_metrics``: MLflow samples processor, memory and GPUs where psutil is installed,
    unless ``MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING`` says otherwise.

    A run that ends by an error is marked FAILED, one that is interrupted KILLED; one whose process is gone is marked
    FAILED by its watcher. None is left RUNNING.
    """
    if not available():
        yield Run(None, prefix)
        return
    mlflow = client()
    told, kept = os.environ.get("MLFLOW_RUN_ID", ""), _known(mlflow, keep)
    if told and kept and told != kept and kept_first:
        mlflow.MlflowClient().set_tag(told, CONTINUED_TAG, kept)
        told = ""
    run_id = _start(mlflow, name, experiment, told, kept, measured=_measured(requested=system_metrics))
    _run_ids.append(run_id)
    owner = uuid.uuid4().hex
    mlflow.set_tag(OWNER_TAG, owner)
    if keep is not None:
        write_text(keep, run_id + "\n")
    with watched(run_id, owner, mlflow.get_tracking_uri()):
        status = "FAILED"
        try:
            yield Run(mlflow, prefix)
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            mlflow.end_run(status)


def _measured(*, requested: bool) -> bool | None:
    """Whether MLflow is told to sample the system; nothing leaves it to MLflow's own switch."""
    switch = os.environ.get("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING")
    return True if requested and switch is None and find_spec("psutil") is not None else None
