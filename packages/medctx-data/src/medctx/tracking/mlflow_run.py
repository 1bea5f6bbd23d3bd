"""MLflow runs: join the run that a command is started under, or start one.

Without MLflow everything here does nothing, so that the light packages work without it.
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
from medctx.io.masking import mask_secrets
from medctx.process.progress import say
from medctx.tracking import logged_adapter
from medctx.tracking.logged_adapter import AdapterCard
from medctx.tracking.run_reaper import OWNER_TAG, watch_run

if TYPE_CHECKING:
    from types import ModuleType

DEFAULT_STORE = "sqlite:///mlflow.db"
MAX_PARAM_CHARS = 500
UNTRACKED = {"MEDCTX_TRACKING": "off"}
"""Environment of a command that logs nothing."""
CONTINUED_TAG = "medctx.continued_in"
"""Tag on a run that was superseded by resuming an earlier one. Value: the resumed run's ID."""


def available() -> bool:
    """Return whether MLflow is installed and not switched off by ``MEDCTX_TRACKING=off``."""
    return os.environ.get("MEDCTX_TRACKING", "on") != "off" and find_spec("mlflow") is not None


def client() -> ModuleType:
    """Import mlflow, with ``MLFLOW_TRACKING_URI`` or else a sqlite file in the working directory as its store."""
    os.environ.setdefault("MLFLOW_TRACKING_URI", DEFAULT_STORE)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # MLflow's 7 take four minutes
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    return mlflow


def store_errors() -> tuple[type[Exception], ...]:
    """Exceptions of a tracking or artifact store that cannot be reached or written."""
    from mlflow.exceptions import MlflowException

    return MlflowException, OSError


class Run:
    """One MLflow run; without MLflow its methods do nothing. All names get the step's prefix."""

    def __init__(self, mlflow: ModuleType | None, prefix: str) -> None:
        self._mlflow = mlflow
        self._prefix = prefix

    @property
    def id(self) -> str:
        """ID of the run, ``""`` without MLflow."""
        run = self._mlflow.active_run() if self._mlflow else None
        return str(run.info.run_id) if run else ""

    def params(self, values: Mapping[str, object]) -> None:
        """Log parameters as ``prefix.key``; values already logged under a key are kept as they are."""
        if not self._mlflow:
            return
        known = self._mlflow.get_run(self.id).data.params
        prefixed = {
            f"{self._prefix}.{key}": mask_secrets(str(value))[:MAX_PARAM_CHARS] for key, value in values.items()
        }
        self._mlflow.log_params({key: value for key, value in prefixed.items() if key not in known})

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics as ``prefix.key``."""
        if self._mlflow:
            self._mlflow.log_metrics({f"{self._prefix}.{key}": value for key, value in values.items()}, step=step)

    def last_step(self, key: str) -> int:
        """Return the last step at which a metric was logged, -1 if it never was."""
        if not self._mlflow:
            return -1
        logged = self._mlflow.MlflowClient().get_metric_history(self.id, f"{self._prefix}.{key}")
        return max((int(metric.step) for metric in logged), default=-1)

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags as ``medctx.key``."""
        if self._mlflow:
            self._mlflow.set_tags({f"medctx.{key}": mask_secrets(value) for key, value in values.items()})

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
        """Log an adapter as a model of the run with ``metrics`` (``prefix.key``) tied to it; return its id or ``""``.

        MLflow also logs such metrics to the run: their names must not be those of a curve. See
        :mod:`medctx.tracking.logged_adapter`.
        """
        if not self._mlflow:
            return ""
        model_id = logged_adapter.log(self._mlflow, name, folder, card, params)
        tied = {f"{self._prefix}.{key}": value for key, value in (metrics or {}).items()}
        if tied:
            self._mlflow.log_metrics(tied, model_id=model_id)
        return model_id

    def dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        """Log a data set by its file, name and digest (MLflow keeps 36 characters of it)."""
        if not self._mlflow:
            return
        from mlflow.data.dataset_source_registry import resolve_dataset_source
        from mlflow.data.meta_dataset import MetaDataset

        with warnings.catch_warnings():
            # MLflow registers its local source several times and warns about the choice.
            warnings.simplefilter("ignore", UserWarning)
            source = resolve_dataset_source(str(path.resolve()))
        logged = MetaDataset(source, name=name, digest=digest[:36])  # type: ignore[abstract]
        self._mlflow.log_input(logged, context=context)


_run_ids: list[str] = []
"""IDs of the runs this process logged into."""


def last_run_id() -> str:
    """Return the ID of the run this process logged into last, ``""`` if it logged into none."""
    return _run_ids[-1] if _run_ids else ""


def _kept_run(mlflow: ModuleType, run_file: Path | None) -> str:
    """The run whose ID a file holds, if the store still has it."""
    if run_file is None or not run_file.is_file():
        return ""
    run_id = run_file.read_text().strip()
    try:
        stage = mlflow.get_run(run_id).info.lifecycle_stage
    except mlflow.exceptions.MlflowException:
        return ""
    return run_id if stage == "active" else ""


def _start(mlflow: ModuleType, name: str, experiment: str, inherited: str, kept: str, *, measured: bool | None) -> str:
    """Join the inherited or kept run, else start one; return its ID. A run within a run is its child."""
    active = mlflow.active_run()
    joined = inherited or kept
    if joined and not active:
        # MLflow refuses a run of another experiment than the one this process used before, and forgets the variable.
        mlflow.set_experiment(experiment_id=mlflow.get_run(joined).info.experiment_id)
        if inherited:
            os.environ["MLFLOW_RUN_ID"] = inherited
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
    run_id: str = "",
    run_file: Path | None = None,
    prefer_file: bool = False,
    system_metrics: bool = False,
) -> Iterator[Run]:
    """Join ``run_id``, the run named by ``MLFLOW_RUN_ID``, or the one whose ID ``run_file`` holds, or start one.

    Args:
        prefix: Prefix of all parameters and metrics, the name of the step.
        name: Name of a new run.
        experiment: Experiment of a new run, unless the environment names one.
        run_id: ID of the run to join.
        run_file: File that keeps the run's ID, so that the next call continues the same run.
        prefer_file: Whether the run of ``run_file`` precedes ``MLFLOW_RUN_ID``, whose run then only gets a tag that
            names the other (``mlflow run`` makes a new run for every start of a study).
        system_metrics: Whether MLflow samples processor, memory and GPUs, if psutil is installed and
            ``MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING`` does not decide it.

    A run that ends by an error is marked FAILED, an interrupted one KILLED. If the process itself is killed, another
    process marks the run FAILED: none is left RUNNING.
    """
    if not available():
        yield Run(None, prefix)
        return
    mlflow = client()
    variable = os.environ.get("MLFLOW_RUN_ID", "")
    inherited, kept = run_id or variable, _kept_run(mlflow, run_file)
    if inherited and kept and inherited != kept and prefer_file:
        mlflow.MlflowClient().set_tag(inherited, CONTINUED_TAG, kept)
        inherited = ""
    run_id = _start(mlflow, name, experiment, inherited, kept, measured=_measured(requested=system_metrics))
    _run_ids.append(run_id)
    owner = uuid.uuid4().hex
    mlflow.set_tag(OWNER_TAG, owner)
    if run_file is not None:
        write_text(run_file, run_id + "\n")
    with watch_run(run_id, owner, mlflow.get_tracking_uri()):
        status = "FAILED"
        try:
            yield Run(mlflow, prefix)
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            _end(mlflow, status)
            if variable and variable != run_id:
                # MLflow forgets the variable with the run; it names another one, that of whoever started this process.
                os.environ["MLFLOW_RUN_ID"] = variable


def _end(mlflow: ModuleType, status: str) -> None:
    """End the active run; a store that fails by now costs the log, not the work."""
    try:
        mlflow.end_run(status)
    except store_errors() as error:
        say(f"The end of the MLflow run was not logged: {next(iter(str(error).splitlines()), '')}")


def _measured(*, requested: bool) -> bool | None:
    """Whether MLflow samples the system; None leaves it to MLflow's own switch."""
    switch = os.environ.get("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING")
    return True if requested and switch is None and find_spec("psutil") is not None else None
