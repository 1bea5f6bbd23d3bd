"""The steps each cell needs, as pure functions of the study's config and of what is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from medctx.errors import MedctxError
from study.config.cells import Cell
from study.config.sections import file_digests, laid_over, section
from study.config.study import Section, StudyConfig
from study.stages.bases import Base
from study.workflow import manifests
from study.workflow.graph import Done
from study.workflow.manifests import Weights
from study.workflow.steps import Step

AGAIN = " again"
"""Ends the name of a model that is examined a second time."""


def _folder(base: Base) -> Path:
    if base.folder is None:
        raise MedctxError(f"The model {base.label} is behind a server, so nothing can be trained on it.")
    return base.folder


def mix_step(config: StudyConfig, cell: Cell, base: Base) -> Step:
    """``medctx-data mix`` of one cell."""
    asked = section(config, "mix")
    unit = "examples" if asked.get("by") == "examples" else "tokens"
    content: Section = {
        **asked,
        "ratio": cell.ratio,
        unit: cell.amount,
        "seed": cell.seed,
        "tokenizer": str(_folder(base)),
    }
    if cell.wrap is not None:
        content = laid_over(content, {"wrap": {"share": cell.wrap}})
    return Step(
        kind="mix",
        label=cell.name,
        command=("medctx-data", "mix"),
        config=content,
        inputs=(base.weights_digest, *file_digests(asked)),
        manifest=manifests.MIX,
        ignored=("tokenizer",),
    )


def recipe(config: StudyConfig, method: str) -> Section:
    """What the trainer is told for a method: the study's settings with its recipe laid over, or by its own name."""
    asked = section(config, "train")
    if not method:
        return asked
    return laid_over(asked, config.recipes.get(method, {"method": method}))


def train_step(config: StudyConfig, cell: Cell, base: Base, mix: Path) -> Step:
    """``medctx-train sft`` of one cell on its mix."""
    content: Section = {
        **recipe(config, cell.method),
        "base": base.id,
        "mix": str(mix),
        "seed": cell.seed,
        "name": cell.name,
    }
    if cell.epochs > 1:
        epochs = content.get("epochs", 1)
        content["epochs"] = cell.epochs * (epochs if isinstance(epochs, int) else 1)
    mixed = manifests.read(mix / manifests.MIX, manifests.MixFile)
    return Step(
        kind="train",
        label=cell.name,
        command=("medctx-train", "sft"),
        config=content,
        inputs=(mixed.digest, base.weights_digest),
        manifest=manifests.TRAIN,
        ignored=("base", "mix", "name"),
        heavy=True,
    )


def onward(step: Step, settings: Section) -> Step:
    """A training step with further settings: it goes on from where a cell ended."""
    return replace(step, config=laid_over(step.config, settings))


def merge_step(cell: Cell, base: Base, weights: Weights) -> Step:
    """``medctx-train merge`` of one adapter."""
    return Step(
        kind="merge",
        label=cell.name,
        command=("medctx-train", "merge"),
        config={"base": base.id, "adapter": str(weights.folder)},
        inputs=(weights.digest, base.weights_digest),
        manifest=manifests.MERGED,
        ignored=("base", "adapter"),
    )


def examined(cell: Cell, base: Base, weights: Weights | None, merged: Path | None) -> dict[str, JsonValue]:
    """One entry of an exam's ``models``: an untouched model, an adapter on its base, or weights of its own."""
    common: dict[str, JsonValue] = {"name": cell.name, "cell": cell.group}
    if base.folder is None:
        return {**common, "name": base.id, "cell": cell.group}
    if weights is None:
        return {**common, "folder": str(base.folder), "weights_digest": base.weights_digest}
    common["training_seed"] = cell.seed
    if weights.kind == "model":
        return {**common, "folder": str(weights.folder), "weights_digest": weights.digest}
    tuned = {**common, "weights_digest": base.weights_digest, "adapter_digest": weights.digest}
    if merged is not None:
        return {**tuned, "folder": str(merged)}
    return {**tuned, "folder": str(base.folder), "adapter": str(weights.folder)}


def again(model: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The same entry for a second examination of the model, under a name of its own."""
    return {**model, "name": f"{model['name']}{AGAIN}"}


def exam_step(config: StudyConfig, bases: Sequence[Base], models: Sequence[Mapping[str, JsonValue]]) -> Step:
    """``medctx-eval run`` of all cells of one base: its folder is shared by every study that asks the same exam of the
    same base, and the command itself skips models it has examined.
    """
    asked = section(config, "exam")
    base = bases[0]
    if base.folder is None:
        model = config.model(base.label)
        asked = {
            **asked,
            "engine": "endpoint",
            "urls": list(model.urls),
            "api_key_variable": model.key_variable,
            "tokenizer": model.tokenizer,
            **({"positions": model.positions} if model.positions else {}),
        }
    return Step(
        kind="exam",
        label=", ".join(one.label for one in bases) if config.bases else "all cells",
        command=("medctx-eval", "run"),
        config={**asked, "models": [dict(model) for model in models]},
        inputs=(base.weights_digest or base.id, *file_digests(asked)),
        manifest="",
        ignored=("models", "urls", "api_key_variable"),
        heavy=True,
    )


def weights_of(done: Done) -> Weights:
    """What a finished training or repair step made."""
    return manifests.weights_of(done.folder)
