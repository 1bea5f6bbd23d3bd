"""MLflow runs: join the run that a command is started under, or start one.

Without MLflow everything here does nothing, so that the light packages work without it. A store that cannot be used is
refused before the work begins; one that fails later costs the log, not the work.
"""

from __future__ import annotations

import logging
import os
import re
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from medctx.errors import MedctxError
from medctx.io.jsonl import write_text
from medctx.io.masking import mask_secrets
from medctx.process.progress import say
from medctx.tracking import logged_adapter
from medctx.tracking.logged_adapter import AdapterCard
from medctx.tracking.run_reaper import OWNER_TAG, watch_run

if TYPE_CHECKING:
    from types import ModuleType

    from mlflow.data.dataset import Dataset

T = TypeVar("T")

DEFAULT_STORE = "sqlite:///mlflow.db"
MAX_PARAM_CHARS = 500
UNTRACKED = {"MEDCTX_TRACKING": "off"}
"""Environment of a command that logs nothing."""
PAUSE_S = 60.0
"""After an error of the store nothing is sent to it for so long: each attempt would wait for its timeouts."""
CONTINUED_TAG = "medctx.continued_in"
"""Tag on a run that was superseded by resuming an earlier one. Value: the resumed run's ID."""
KIND_TAG, KIND = "mlflow.experimentKind", "custom_model_development"
"""Tag of an experiment by which MLflow's pages are those of model training; its value."""
ENTRY_POINT_TAG = "mlflow.project.entryPoint"
_MADE_UP = re.compile(r"[a-z]+-[a-z]+-\d+")
"""A name that MLflow gave a run, such as skillful-calf-382."""


def installed() -> bool:
    """Return whether MLflow is installed: what is registered can be read even where nothing is logged."""
    return find_spec("mlflow") is not None


def available() -> bool:
    """Return whether MLflow is installed and not switched off by ``MEDCTX_TRACKING=off``."""
    return os.environ.get("MEDCTX_TRACKING", "on") != "off" and installed()


def client() -> ModuleType:
    """Import mlflow, with ``MLFLOW_TRACKING_URI`` or else a sqlite file in the working directory as its store."""
    os.environ.setdefault("MLFLOW_TRACKING_URI", DEFAULT_STORE)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # MLflow's 7 take four minutes
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # A model would carry the uv.lock of the working directory, whatever project that is.
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
    import mlflow

    # It logs the tracebacks of errors that it also raises.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    return mlflow


def store_errors() -> tuple[type[Exception], ...]:
    """Exceptions of a tracking or artifact store that cannot be reached or written."""
    from mlflow.exceptions import MlflowException

    if find_spec("sqlalchemy") is None:
        return MlflowException, OSError
    from sqlalchemy.exc import SQLAlchemyError

    return MlflowException, OSError, SQLAlchemyError


def _reason(error: BaseException) -> str:
    """The first line of the error that an error of the store goes back to."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return mask_secrets(next(iter(str(error).splitlines()), "") or type(error).__name__).rstrip(".")


def _unusable(mlflow: ModuleType, error: BaseException) -> MedctxError:
    return MedctxError(
        f"The MLflow store {mask_secrets(str(mlflow.get_tracking_uri()))} cannot be used ({_reason(error)}); set "
        "MLFLOW_TRACKING_URI to one that is reachable and writable, or MEDCTX_TRACKING=off to log nothing."
    )


def require_store() -> None:
    """Refuse a store that cannot be reached, before work that is to be logged there; raises MedctxError."""
    if not available():
        return
    mlflow = client()
    try:
        mlflow.search_experiments(max_results=1)
    except store_errors() as error:
        raise _unusable(mlflow, error) from None


class Run:
    """One MLflow run; without MLflow its methods do nothing. All names get the step's prefix.

    An error of the store is printed and costs what it would have logged, unless ``strict``.
    """

    def __init__(self, mlflow: ModuleType | None, prefix: str, *, strict: bool = False) -> None:
        self._mlflow = mlflow
        self._prefix = prefix
        self._strict = strict
        self._silent_until = 0.0

    def _log(self, action: Callable[[ModuleType], T], default: T) -> T:
        """Return what ``action`` returns, or ``default`` without a store that can be used."""
        if self._mlflow is None or time.monotonic() < self._silent_until:
            return default
        try:
            return action(self._mlflow)
        except store_errors() as error:
            if self._strict:
                raise
            say(
                f"The MLflow store failed ({_reason(error)}): nothing is logged for {PAUSE_S:.0f} seconds; the results "
                "themselves are kept."
            )
            self._silent_until = time.monotonic() + PAUSE_S
            return default

    @property
    def id(self) -> str:
        """ID of the run, ``""`` without MLflow."""
        run = self._mlflow.active_run() if self._mlflow else None
        return str(run.info.run_id) if run else ""

    def params(self, values: Mapping[str, object]) -> None:
        """Log parameters as ``prefix.key``; values already logged under a key are kept as they are."""
        prefixed = {
            f"{self._prefix}.{key}": mask_secrets(str(value))[:MAX_PARAM_CHARS] for key, value in values.items()
        }

        def log(mlflow: ModuleType) -> None:
            known = mlflow.get_run(self.id).data.params
            mlflow.log_params({key: value for key, value in prefixed.items() if key not in known})

        self._log(log, None)

    def metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Log metrics as ``prefix.key``."""
        prefixed = {f"{self._prefix}.{key}": value for key, value in values.items()}
        self._log(lambda mlflow: mlflow.log_metrics(prefixed, step=step), None)

    def last_step(self, key: str) -> int:
        """Return the last step at which a metric was logged, -1 if it never was."""

        def read(mlflow: ModuleType) -> int:
            logged = mlflow.MlflowClient().get_metric_history(self.id, f"{self._prefix}.{key}")
            return max((int(metric.step) for metric in logged), default=-1)

        return self._log(read, -1)

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags as ``medctx.key``."""
        prefixed = {f"medctx.{key}": mask_secrets(value) for key, value in values.items()}
        self._log(lambda mlflow: mlflow.set_tags(prefixed), None)

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Attach a file or a folder."""
        if path.is_dir():
            self._log(lambda mlflow: mlflow.log_artifacts(str(path), folder or path.name), None)
        else:
            self._log(lambda mlflow: mlflow.log_artifact(str(path), folder), None)

    def adapter(
        self,
        name: str,
        folder: Path,
        card: AdapterCard,
        params: Mapping[str, object],
        metrics: Mapping[str, float] | None = None,
        step: int = 0,
    ) -> str:
        """Log an adapter as a model of the run with ``metrics`` (``prefix.key``) tied to it; return its id or ``""``.

        The model also gets the metrics that the run has at ``step``.

        MLflow also logs such metrics to the run: their names must not be those of a curve. See
        ``medctx.tracking.logged_adapter``.
        """
        tied = {f"{self._prefix}.{key}": value for key, value in (metrics or {}).items()}

        def log(mlflow: ModuleType) -> str:
            model_id = logged_adapter.log(mlflow, name, folder, card, params, step)
            if tied:
                mlflow.log_metrics(tied, model_id=model_id)
            return model_id

        return self._log(log, "")

    def dataset(self, path: Path, name: str, digest: str, context: str) -> None:
        """Log a data set by its file, name and digest (MLflow keeps 36 characters of it)."""
        if self._mlflow is None:
            return
        from mlflow.data.dataset_source_registry import resolve_dataset_source
        from mlflow.data.meta_dataset import MetaDataset

        with warnings.catch_warnings():
            # MLflow registers its local source several times and warns about the choice.
            warnings.simplefilter("ignore", UserWarning)
            source = resolve_dataset_source(str(path.resolve()))
        logged = MetaDataset(source, name=name, digest=digest[:36])  # type: ignore[abstract]
        self.data_set(logged, context)

    def data_set(self, logged: Dataset, context: str) -> None:
        """Log a data set that is described already."""
        self._log(lambda mlflow: mlflow.log_input(logged, context=context), None)


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


def _label(mlflow: ModuleType, run_id: str, name: str) -> None:
    """Name the run where MLflow made its name up, and say what kind of experiment it belongs to.

    Of an experiment without a kind MLflow's pages guess one, and then call its runs evaluations.
    """
    client = mlflow.MlflowClient()
    started = client.get_run(run_id)
    kind = client.get_experiment(started.info.experiment_id).tags.get(KIND_TAG, "")
    if not kind or kind.endswith("_inferred"):
        client.set_experiment_tag(started.info.experiment_id, KIND_TAG, KIND)
    if ENTRY_POINT_TAG in started.data.tags and _MADE_UP.fullmatch(started.info.run_name or ""):
        client.set_tag(run_id, "mlflow.runName", name)


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
    strict: bool = False,
    after_work: bool = False,
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
        strict: Whether errors of the store in the block are raised, instead of costing what was to be logged.
        after_work: Whether the work is done already: a store that cannot be used then costs the log only.

    Raises:
        MedctxError: If the store cannot be used when the block begins.

    A run that ends by an error is marked FAILED, an interrupted one KILLED. If the process itself is killed, another
    process marks the run FAILED: none is left RUNNING.
    """
    if not available():
        yield Run(None, prefix)
        return
    mlflow = client()
    variable = os.environ.get("MLFLOW_RUN_ID", "")
    owner = uuid.uuid4().hex
    before = mlflow.active_run()
    unusable: MedctxError | None = None
    try:
        inherited, kept = run_id or variable, _kept_run(mlflow, run_file)
        if inherited and kept and inherited != kept and prefer_file:
            mlflow.MlflowClient().set_tag(inherited, CONTINUED_TAG, kept)
            inherited = ""
        run_id = _start(mlflow, name, experiment, inherited, kept, measured=_measured(requested=system_metrics))
        mlflow.set_tag(OWNER_TAG, owner)
        if before is None:
            _label(mlflow, run_id, name)
    except store_errors() as error:
        if mlflow.active_run() not in (None, before):
            with suppress(*store_errors()):
                mlflow.end_run("FAILED")
        unusable = _unusable(mlflow, error)
        if not after_work:
            raise unusable from None
    if unusable:
        say(f"{unusable} The results are kept.")
        yield Run(None, prefix)
        return
    _run_ids.append(run_id)
    if run_file is not None:
        write_text(run_file, run_id + "\n")
    with watch_run(run_id, owner, mlflow.get_tracking_uri()):
        status = "FAILED"
        try:
            yield Run(mlflow, prefix, strict=strict)
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
        say(f"The end of the MLflow run was not logged: {_reason(error)}.")


def _measured(*, requested: bool) -> bool | None:
    """Whether MLflow samples the system; None leaves it to MLflow's own switch."""
    switch = os.environ.get("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING")
    return True if requested and switch is None and find_spec("psutil") is not None else None
