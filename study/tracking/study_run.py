"""The MLflow run of a whole study: a killed or repeated study goes on in the run it has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medctx.config import loading as configs
from medctx.io import digest
from medctx.tracking import mlflow_run as tracking
from study.config.study import StudyConfig

RUN = "MLFLOW_RUN_ID"


@contextmanager
def study_run(config: StudyConfig, folder: Path) -> Iterator[tracking.Run]:
    """The run a study logs into; steps are not joined to it but have their own below it.

    A study that is told something else has a run of its own in the same ``folder``. A run that a launcher opened for
    this start is told where the study goes on.
    """
    told = digest.of_text(configs.dump(config))[: digest.SHORT]
    launcher = os.environ.get(RUN, "")
    try:
        with tracking.run("study", config.name, run_file=folder / f".mlflow-run-{told}", prefer_file=True) as tracked:
            os.environ.pop(RUN, None)
            yield tracked
    finally:
        if launcher:
            os.environ[RUN] = launcher
