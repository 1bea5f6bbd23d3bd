"""An adapter as an MLflow LoggedModel: its weights, code, origin and signature, without the weights of its base.

The step that makes an adapter logs it; the registry finds it by the digest of its weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import medctx
from medctx.schemas.records import Record
from medctx.schemas.sft import BaseCard

if TYPE_CHECKING:
    from types import ModuleType

    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

SERVED = Path(__file__).parent / "served_model.py"
REQUIREMENTS = ("torch", "transformers", "peft", "gguf", "huggingface_hub", "pandas", "pydantic", "rich")
"""Packages that serving a logged adapter needs besides MLflow."""
DIGEST_TAG = "medctx.adapter_digest"
ADAPTER_ARTIFACTS = "artifacts/adapter"
"""Where a logged model keeps the adapter's folder."""
README = "README.md"
FIGURE = "composition.png"
"""The composition of the training data, beside the README."""
EXAM_SETTINGS = "exam.yaml"
"""The exams that a study asked an adapter and how, beside the README: a config of ``medctx-eval run``."""
QUESTION = "What is a typical finding in Marfan syndrome?"
"""Question of the input example."""
_UNNAMED = re.compile(r"[^\w-]+")


class AdapterCard(Record):
    """Metadata of a logged adapter.

    Attributes:
        base: Name of its base model: a hub ID, an embedded model, or the name of a folder.
        base_digest: Digest of the base model.
        adapter_digest: Digest of the adapter's weights.
        mix_digest: Digest of the Dialogues it was trained on, ``""`` if there were none.
        base_revision: Commit of a base from the hub.
    """

    base: str
    base_digest: str
    adapter_digest: str
    mix_digest: str = ""
    base_revision: str = ""

    @classmethod
    def on_base(cls, base: BaseCard, adapter_digest: str, mix_digest: str = "") -> AdapterCard:
        """Return the card of an adapter on a prepared base."""
        return cls(
            base=base.portable_name,
            base_digest=base.weights_digest,
            adapter_digest=adapter_digest,
            mix_digest=mix_digest,
            base_revision=base.revision,
        )


def pinned_requirements() -> list[str]:
    """Return the installed versions of ``REQUIREMENTS``, without a build tag such as ``+cpu``."""
    pinned = []
    for package in REQUIREMENTS:
        try:
            pinned.append(f"{package}=={version(package).partition('+')[0]}")
        except PackageNotFoundError:
            pinned.append(package)
    return pinned


def _signature() -> ModelSignature:
    """Conversations in, texts out; ``book`` is optional."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import Array, Object, Property

    message = Object([Property("role", "string"), Property("content", "string")])
    return ModelSignature(
        inputs=Schema([ColSpec(Array(message), "messages"), ColSpec("string", "book", required=False)]),
        outputs=Schema([ColSpec("string")]),
        params=ParamSchema([ParamSpec("max_new_tokens", "long", 256), ParamSpec("temperature", "double", 0.0)]),
    )


class _UntriedPyfunc:
    """The flavor ``mlflow.pyfunc`` with the argument of ``Model.log`` that leaves out the trial request."""

    @staticmethod
    def save_model(*, validate_serving_input: bool, **arguments: Any) -> None:
        """Save without passing the argument on, which only ``Model.log`` knows."""
        from mlflow import pyfunc

        assert not validate_serving_input
        pyfunc.save_model(**arguments)


def log_card(client: MlflowClient, model_id: str, folder: Path) -> None:
    """Put what a study wrote beside an adapter into its logged model, in place of earlier files."""
    for name in (README, FIGURE, EXAM_SETTINGS):
        if (folder / name).is_file():
            client.log_model_artifact(model_id, str(folder / name), ADAPTER_ARTIFACTS)


def log(
    mlflow: ModuleType, name: str, folder: Path, card: AdapterCard, params: Mapping[str, object], step: int = 0
) -> str:
    """Log the adapter in ``folder`` under the active run, unless the run has logged it before; return its model id.

    Args:
        mlflow: The module.
        name: Name of the model.
        folder: Folder of the adapter.
        card: What it is.
        params: Its parameters.
        step: The run's metrics of this step become those of the model.
    """
    known = find_logged_adapter(mlflow, mlflow.active_run().info.run_id, card.adapter_digest)
    if known:
        return known
    from mlflow.models import Model

    # What mlflow.pyfunc.log_model does, but for the trial request of the input example: MLflow would load the base once
    # more for it, beside the model that is being trained.
    info = Model.log(
        artifact_path=None,
        name=_UNNAMED.sub("-", name),
        flavor=_UntriedPyfunc,
        python_model=str(SERVED),
        code_paths=[str(Path(medctx.__file__).parent)],
        artifacts={"adapter": str(folder)},
        model_config={"base": card.base, "base_digest": card.base_digest, "base_revision": card.base_revision},
        metadata=card.model_dump(),
        pip_requirements=pinned_requirements(),
        signature=_signature(),
        input_example=({"messages": [{"role": "user", "content": QUESTION}]}, {"max_new_tokens": 64}),
        validate_serving_input=False,
        params=dict(params),
        tags={f"medctx.{key}": value for key, value in card.model_dump().items()},
        step=step,
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
