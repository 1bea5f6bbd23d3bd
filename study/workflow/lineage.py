"""The MLflow runs of a study: one parent, and a child per step that is created when the step starts."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from medctx.io.jsonl import write_text
from medctx.io.masking import mask_secrets
from medctx.process.progress import say
from medctx.schemas.records import Record
from medctx.tracking import mlflow_run
from medctx.tracking.mlflow_run import UNTRACKED
from medctx.tracking.run_reaper import OWNER_TAG, watch_run


class ChildRun(Record):
    """The MLflow run of a step, as it is created where and when the step starts.

    Attributes:
        store: Tracking URI.
        experiment: ID of the experiment.
        parent: ID of the study's run.
        name: Name of the run.
        tags: Its tags.
        file: Holds the run's ID, so that a resumed step continues its run.
    """

    store: str
    experiment: str
    parent: str
    name: str
    tags: dict[str, str]
    file: Path


class ChildStatus:
    """How the step of a child run ended; set before the block of ``child_run`` ends."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.status = "FAILED"


def _client(store: str) -> Any:
    return mlflow_run.client().MlflowClient(tracking_uri=store)


def _known(client: Any, file: Path) -> str:
    """The run whose ID a file holds, if the store still has it."""
    from mlflow.exceptions import MlflowException

    if not file.is_file():
        return ""
    run_id = file.read_text(encoding="utf-8").strip()
    try:
        return run_id if client.get_run(run_id).info.lifecycle_stage == "active" else ""
    except MlflowException:
        return ""


def _created(child: ChildRun) -> str:
    client = _client(child.store)
    run_id = _known(client, child.file)
    if not run_id:
        run_id = str(client.create_run(child.experiment, tags=child.tags, run_name=child.name).info.run_id)
        child.file.parent.mkdir(parents=True, exist_ok=True)
        write_text(child.file, run_id + "\n")
    return run_id


def _ended(store: str, run_id: str, status: str) -> None:
    """End a run that its command has left RUNNING: one that does not log, or that was stopped before it could."""
    client = _client(store)
    if client.get_run(run_id).info.status == "RUNNING":
        client.set_terminated(run_id, status)


@contextmanager
def child_run(child: ChildRun | None) -> Iterator[ChildStatus]:
    """Create (or continue) the run of a step for as long as its command runs; a store that fails costs the log only."""
    if child is None:
        yield ChildStatus(UNTRACKED)
        return
    try:
        run_id, owner = _created(child), uuid.uuid4().hex
        _client(child.store).set_tag(run_id, OWNER_TAG, owner)
    except Exception as error:
        say(f"{child.name}: not logged, the MLflow store {mask_secrets(child.store)} failed ({_first_line(error)}).")
        yield ChildStatus(UNTRACKED)
        return
    handle = ChildStatus({"MLFLOW_RUN_ID": run_id, "MLFLOW_TRACKING_URI": child.store})
    with watch_run(run_id, owner, child.store):
        try:
            yield handle
        finally:
            try:
                _ended(child.store, run_id, handle.status)
            except Exception as error:
                say(f"{child.name}: the MLflow store {mask_secrets(child.store)} failed ({_first_line(error)}).")


def _first_line(error: Exception) -> str:
    return mask_secrets(next(iter(str(error).splitlines()), type(error).__name__)).rstrip(".")


class Lineage:
    """The children of a study's run; without MLflow there are none."""

    def __init__(self, parent: str, study: str) -> None:
        self._parent, self._study = parent, study
        self._store, self._experiment = "", ""
        if parent:
            self._store = str(mlflow_run.client().get_tracking_uri())
            self._experiment = str(_client(self._store).get_run(parent).info.experiment_id)

    @property
    def on(self) -> bool:
        """Whether anything is tracked."""
        return bool(self._parent)

    def child(self, kind: str, label: str, folder: Path, tags: Mapping[str, str] | None = None) -> ChildRun | None:
        """The run of the step in a folder; None without MLflow."""
        if not self._parent:
            return None
        named = {"step": kind, "cell": label, "study": self._study, **(tags or {})}
        return ChildRun(
            store=self._store,
            experiment=self._experiment,
            parent=self._parent,
            name=f"{kind} {label}",
            tags={"mlflow.parentRunId": self._parent, **{f"medctx.{key}": value for key, value in named.items()}},
            file=self._file(folder),
        )

    def _file(self, folder: Path) -> Path:
        """A step's folder can serve several studies, each with a run of its own."""
        return folder / f"mlflow-run-{self._study}"

    @property
    def experiment(self) -> str:
        """ID of the experiment."""
        return self._experiment

    def open(self, kind: str, label: str, folder: Path) -> str:
        """Create (or continue) a child run that no command logs into; returns its ID."""
        child = self.child(kind, label, folder)
        return _created(child) if child else ""

    def write(self, run_id: str, params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Write parameters and tags into a child run; parameters it has already are kept."""
        client = _client(self._store)
        known = client.get_run(run_id).data.params
        for key, value in params.items():
            if key not in known:
                client.log_param(run_id, key, value)
        for key, value in tags.items():
            client.set_tag(run_id, f"medctx.{key}", value)

    def write_study(self, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        """Write metrics and tags into the study's own run."""
        client = _client(self._store)
        for key, number in metrics.items():
            client.log_metric(self._parent, key, number)
        for key, value in tags.items():
            client.set_tag(self._parent, key, value)

    def run_of(self, folder: Path) -> str:
        """The ID of the run of the step in a folder, "" where it has none in this study."""
        return _known(_client(self._store), self._file(folder)) if self._parent else ""

    def interrupted(self, folder: Path) -> None:
        """Mark the run of a step that was stopped with the study."""
        run_id = self.run_of(folder)
        if run_id:
            _client(self._store).set_terminated(run_id, "KILLED")
