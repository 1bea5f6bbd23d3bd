"""An adapter as an MLflow LoggedModel: its weights, what it was made of and how it is asked; never its base's weights.

The step that makes an adapter logs it; who registers it finds it by the digest of its weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.schemas.records import Record

if TYPE_CHECKING:
    from types import ModuleType

SERVED = Path(__file__).parent / "served_model.py"
REQUIREMENTS = ("torch", "transformers", "peft")
"""What a logged adapter needs where it is served, beside MLflow."""
DIGEST_TAG = "medctx.adapter_digest"
QUESTION, ANSWER = "What is a typical finding in Marfan syndrome?", "Tall stature."
"""What the signature is made from: a list of questions in, a list of answers out."""
_UNNAMED = re.compile(r"[^\w-]+")


class AdapterCard(Record):
    """What a logged adapter says of itself: the name and digest of its base, the digest of its own weights and that of
    the Dialogues it was trained on ("" where it was made without any).
    """

    base: str
    base_digest: str
    adapter_digest: str
    mix_digest: str = ""


def log(mlflow: ModuleType, name: str, folder: Path, card: AdapterCard, params: Mapping[str, object]) -> str:
    """Log the adapter in ``folder`` under the active run; returns the model's id.

    One that the run has logged already is not logged again.
    """
    found = find(mlflow, mlflow.active_run().info.run_id, card.adapter_digest)
    if found:
        return found
    info = mlflow.pyfunc.log_model(
        name=_UNNAMED.sub("-", name),
        python_model=str(SERVED),
        artifacts={"adapter": str(folder)},
        metadata=card.model_dump(),
        pip_requirements=list(REQUIREMENTS),
        signature=mlflow.models.infer_signature([QUESTION], [ANSWER]),
        params=dict(params),
        tags={f"medctx.{key}": value for key, value in card.model_dump().items()},
    )
    return str(info.model_id)


def find(mlflow: ModuleType, run_id: str, adapter_digest: str) -> str:
    """The id of the model with these weights that a run has logged, "" where there is none."""
    if not run_id:
        return ""
    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    for output in run.outputs.model_outputs if run.outputs else ():
        if client.get_logged_model(output.model_id).tags.get(DIGEST_TAG) == adapter_digest:
            return str(output.model_id)
    return ""
