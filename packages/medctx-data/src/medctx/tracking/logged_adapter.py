"""An adapter as an MLflow LoggedModel: its weights, origin and signature, without the weights of its base.

The step that makes an adapter logs it; the registry finds it by the digest of its weights.
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
"""Packages that serving a logged adapter needs besides MLflow."""
DIGEST_TAG = "medctx.adapter_digest"
QUESTION, ANSWER = "What is a typical finding in Marfan syndrome?", "Tall stature."
"""Example of the signature: a list of questions in, a list of answers out."""
_UNNAMED = re.compile(r"[^\w-]+")


class AdapterCard(Record):
    """Metadata of a logged adapter.

    Attributes:
        base: Name of its base model.
        base_digest: Digest of the base model.
        adapter_digest: Digest of the adapter's weights.
        mix_digest: Digest of the Dialogues it was trained on, ``""`` if there were none.
    """

    base: str
    base_digest: str
    adapter_digest: str
    mix_digest: str = ""


def log(mlflow: ModuleType, name: str, folder: Path, card: AdapterCard, params: Mapping[str, object]) -> str:
    """Log the adapter in ``folder`` under the active run, unless the run has logged it before; return its model id."""
    known = find_logged_adapter(mlflow, mlflow.active_run().info.run_id, card.adapter_digest)
    if known:
        return known
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


def find_logged_adapter(mlflow: ModuleType, run_id: str, adapter_digest: str) -> str:
    """Return the id of the model with these weights that a run has logged, ``""`` if there is none."""
    if not run_id:
        return ""
    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    for output in run.outputs.model_outputs if run.outputs else ():
        if client.get_logged_model(output.model_id).tags.get(DIGEST_TAG) == adapter_digest:
            return str(output.model_id)
    return ""
