"""The MLflow run tree of a study: one parent, flat children with tags, each continued when its step is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medctx.io.jsonl import write_text
from medctx.tracking import mlflow_run as tracking
from study.workflow.commands import SILENT


class Lineage:
    """Children of one parent run; without MLflow every child is an empty environment."""

    def __init__(self, parent: str, study: str) -> None:
        self._parent, self._study = parent, study

    @property
    def on(self) -> bool:
        """Whether anything is tracked."""
        return bool(self._parent)

    def _file(self, folder: Path) -> Path:
        """Where a step keeps its run's id; a folder can serve several studies, each with a run of its own."""
        return folder / f"mlflow-run-{self._study}"

    def _client(self) -> Any:
        return tracking.client().MlflowClient()

    def run_of(self, folder: Path) -> str:
        """The run of the step in a folder, if it had one and the store still knows it."""
        from mlflow.exceptions import MlflowException

        path = self._file(folder)
        if not self._parent or not path.is_file():
            return ""
        found = path.read_text().strip()
        try:
            self._client().get_run(found)
        except MlflowException:
            return ""
        return found

    def begin(self, kind: str, label: str, folder: Path) -> dict[str, str]:
        """The environment a step's command is started with, so that it logs into a child run of its own."""
        if not self._parent:
            return dict(SILENT)
        run_id = self.run_of(folder) or self._child(f"{kind} {label}", {"step": kind, "cell": label})
        folder.mkdir(parents=True, exist_ok=True)
        write_text(self._file(folder), run_id + "\n")
        return {"MLFLOW_RUN_ID": run_id, "MLFLOW_TRACKING_URI": tracking.client().get_tracking_uri()}

    def _child(self, name: str, tags: Mapping[str, str]) -> str:
        client = self._client()
        told = {"mlflow.parentRunId": self._parent, "medctx.study": self._study}
        told |= {f"medctx.{key}": value for key, value in tags.items()}
        experiment = client.get_run(self._parent).info.experiment_id
        return str(client.create_run(experiment, tags=told, run_name=name).info.run_id)

    def log(
        self, run_id: str, params: Mapping[str, str], metrics: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        """Write into a child and finish it; parameters it has already are kept."""
        client = self._client()
        known = client.get_run(run_id).data.params
        for key, value in params.items():
            if key not in known:
                client.log_param(run_id, key, value)
        for key, number in metrics.items():
            client.log_metric(run_id, key, number)
        for key, value in tags.items():
            client.set_tag(run_id, f"medctx.{key}", value)
        client.set_terminated(run_id, "FINISHED")

    def _end(self, folder: Path, status: str) -> None:
        run_id = self.run_of(folder)
        if run_id:
            self._client().set_terminated(run_id, status)

    def failed(self, folder: Path) -> None:
        """The step in a folder came to nothing."""
        self._end(folder, "FAILED")

    def interrupted(self, folder: Path) -> None:
        """The step in a folder was stopped and will go on."""
        self._end(folder, "KILLED")
