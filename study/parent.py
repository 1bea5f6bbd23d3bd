"""The MLflow run of a whole study: a killed or repeated study goes on in the run it has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medctx import config as configs
from medctx import digest, tracking
from medctx.jsonl import read_record, write_record
from medctx.records import Record
from study.config import StudyConfig

FILE = "mlflow.json"
RUN = "MLFLOW_RUN_ID"


class _Parent(Record):
    """``config``: the digest of what the study was told."""

    run_id: str
    config: str


def _before(folder: Path, config: str) -> str:
    """The run of the same study before, where the store still knows it."""
    from mlflow.exceptions import MlflowException

    file = folder / FILE
    if not file.is_file():
        return ""
    known = read_record(file, _Parent)
    if known.config != config:
        return ""
    try:
        found = tracking.client().MlflowClient().get_run(known.run_id)
    except MlflowException:
        return ""
    return known.run_id if found.info.lifecycle_stage == "active" else ""


def _lead_to(launcher: str, run_id: str) -> None:
    """Say in the run a launcher has opened where the study goes on."""
    tracking.client().MlflowClient().set_tag(launcher, "medctx.continued_in", run_id)


@contextmanager
def study_run(config: StudyConfig, folder: Path) -> Iterator[tracking.Run]:
    """The run a study logs into; steps are not joined to it but have their own below it."""
    told = digest.of_text(configs.dump(config))
    launcher = os.environ.get(RUN, "")
    before = _before(folder, told) if tracking.available() else ""
    if before:
        if launcher and launcher != before:
            _lead_to(launcher, before)
        os.environ[RUN] = before
    try:
        with tracking.run("study", config.name) as tracked:
            os.environ.pop(RUN, None)
            if tracked.id:
                write_record(folder / FILE, _Parent(run_id=tracked.id, config=told))
            yield tracked
    finally:
        if launcher:
            os.environ[RUN] = launcher
