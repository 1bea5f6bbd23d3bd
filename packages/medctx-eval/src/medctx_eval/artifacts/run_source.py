"""Locates finished exams: a run folder, the artifacts of an MLflow run, or those of a registered model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from medctx.errors import MedctxError
from medctx.process.progress import say
from medctx.schemas.exam_run import EXAM_FILE
from medctx.tracking import mlflow_run as tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

RUNS, MODELS = "runs:/", "models:/"
ARTIFACTS = "exam"
"""The artifact folder under which an exam logs one folder per examined model."""
PLAN_ARTIFACTS = "exam-plan"
"""The artifact folder under which an exam logs the items it asked, one folder per exam plan."""
RUN_TAG, FOLDER_TAG = "medctx.exam_run", "medctx.exam_folder"
"""Tags of a registered version: the MLflow run of its exam, and its folder among that run's artifacts."""
GRAMMAR = (
    "a run folder, runs:/<run id>[/<folder>], models:/<name>/<version>, models:/<name>@<alias>, "
    "or another harness's log"
)


def _slug(text: str) -> str:
    return "".join(char if char.isalnum() or char in "._" else "-" for char in text)


def _client(source: str) -> MlflowClient:
    if not tracking.installed():
        raise MedctxError(
            f"{source} is in MLflow, which is not installed; install medctx-eval[tracking], or give the run folder."
        )
    client: MlflowClient = tracking.client().MlflowClient()
    return client


def _download(client: MlflowClient, source: str, run_id: str, folder: str, scratch: Path) -> list[Path]:
    """The run folders of an MLflow run, or the one named ``folder``, below ``scratch``."""
    from mlflow.exceptions import MlflowException

    try:
        logged = [Path(entry.path).name for entry in client.list_artifacts(run_id, ARTIFACTS) if entry.is_dir]
    except MlflowException as error:
        raise MedctxError(
            f"{source} cannot be read from {tracking.client().get_tracking_uri()} ({_first_line(error)}); check the id "
            "and MLFLOW_TRACKING_URI."
        ) from None
    if not logged or (folder and folder not in logged):
        missing = f"no exam {folder!r} (it has: {', '.join(sorted(logged))})" if logged else "no examined model"
        raise MedctxError(f"The MLflow run {run_id} ({source}) has {missing}; give {GRAMMAR}.")
    target = scratch / _slug(source)
    target.mkdir(parents=True, exist_ok=True)
    folders = []
    for name in [folder] if folder else sorted(logged):
        say(f"Fetching the exam of {name} from {source}")
        folders.append(Path(client.download_artifacts(run_id, f"{ARTIFACTS}/{name}", str(target))))
    return folders


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")


def _version(client: MlflowClient, source: str) -> ModelVersion:
    from mlflow.exceptions import MlflowException

    name, at, alias = source.removeprefix(MODELS).rpartition("@")
    try:
        if at:
            return client.get_model_version_by_alias(name, alias)
        name, _, version = source.removeprefix(MODELS).rpartition("/")
        return client.get_model_version(name, version)
    except MlflowException as error:
        raise MedctxError(f"There is no registered model {source} ({_first_line(error)}); give {GRAMMAR}.") from None


def model_version(source: str) -> tuple[MlflowClient, ModelVersion]:
    """The tracking client and the version that ``models:/NAME/VERSION`` or ``models:/NAME@ALIAS`` names."""
    client = _client(source)
    return client, _version(client, source)


def _run_folder(folder: Path) -> Path:
    if (folder / EXAM_FILE).is_file():
        return folder
    if not folder.is_dir():
        raise MedctxError(f"There is no run {folder}; give {GRAMMAR}.")
    inside = sorted(file.parent.name for file in folder.glob(f"*/{EXAM_FILE}"))
    hint = f"; it contains the run folders {', '.join(inside)}" if inside else ""
    raise MedctxError(f"{folder} is not a finished run (it has no {EXAM_FILE}){hint}; give {GRAMMAR}.")


def resolve(source: str, scratch: Path) -> list[Path]:
    """Resolve a source to run folders.

    Args:
        source: A run folder; ``runs:/<id>`` for every model examined in an MLflow run, or ``runs:/<id>/<folder>`` for
            one; or a registered model.
        scratch: Where artifacts from MLflow are downloaded to.

    Returns:
        The run folders.

    Raises:
        MedctxError: If the source is none of these, or has no exam.
    """
    if source.startswith(RUNS):
        run_id, _, folder = source.removeprefix(RUNS).partition("/")
        return _download(_client(source), source, run_id, folder.removeprefix(f"{ARTIFACTS}/").strip("/"), scratch)
    if source.startswith(MODELS):
        client = _client(source)
        tags = _version(client, source).tags
        if RUN_TAG not in tags or FOLDER_TAG not in tags:
            raise MedctxError(
                f"{source} does not name its exam (tags {RUN_TAG} and {FOLDER_TAG}); register it again with a "
                "study, or give the exam's run folder."
            )
        return _download(client, source, tags[RUN_TAG], tags[FOLDER_TAG], scratch)
    return [_run_folder(Path(source))]
