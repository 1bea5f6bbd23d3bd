"""The steps each cell needs, as pure functions of the study's config and of what is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from medctx.config.loading import deep_merge
from medctx.errors import MedctxError
from medctx.schemas.records import Record
from medctx.schemas.sft import WeightsKind
from study.config.cells import StudyCell
from study.config.sections import file_digests, mix_settings, recipe, section
from study.config.study import Section, StudyConfig
from study.stages.bases import Base
from study.workflow.steps import Done, Step

ROW_TOKENS = 512
"""The default of the key row_tokens of ``medctx-train sft``."""

AGAIN = " again"
"""Ends the name of a model that is examined a second time."""


class Weights(Record):
    """What a cell answers with: an ``adapter`` on its base, or a whole ``model``."""

    kind: WeightsKind
    folder: Path
    digest: str


def weights_of(done: Done) -> Weights:
    """The weights that a training, repair or merge step made."""
    output = next(output for output in done.result.outputs if output.kind in {"adapter", "model"})
    kind: WeightsKind = "adapter" if output.kind == "adapter" else "model"
    return Weights(kind=kind, folder=done.folder / output.path, digest=output.digest)


def external_weights(base: Base) -> Weights | None:
    """The weights of an adapter from elsewhere; None without one."""
    if base.adapter is None:
        return None
    return Weights(kind="adapter", folder=base.adapter, digest=base.adapter_digest)


def mix_digest(done: Done) -> str:
    """The digest of the Dialogues that a mix step made."""
    return done.result.of_kind("mix")[0].digest


def _folder(base: Base) -> Path:
    if base.folder is None:
        raise MedctxError(f"The model {base.label} is behind a server, so it cannot be trained.")
    return base.folder


def _row_tokens(config: StudyConfig, cell: StudyCell) -> Section:
    """The key max_tokens of a mix whose longer Dialogues would be refused in training: as long as a row."""
    settings = recipe(config, cell.method)
    return {} if "too_long" in settings else {"max_tokens": settings.get("row_tokens", ROW_TOKENS)}


def mix_step(config: StudyConfig, cell: StudyCell, base: Base) -> Step:
    """``medctx-data mix`` of one cell."""
    mix = mix_settings(config, cell.sources)
    unit = "examples" if mix.get("by") == "examples" else "tokens"
    content: Section = {
        **_row_tokens(config, cell),
        **mix,
        "ratio": cell.ratio,
        unit: cell.amount,
        "seed": cell.seed,
        "tokenizer": str(_folder(base)),
    }
    if cell.wrap is not None:
        content = deep_merge(content, {"wrap": {"share": cell.wrap}})
    return Step(
        kind="mix",
        label=cell.name,
        command=("medctx-data", "mix"),
        config=content,
        inputs=(base.weights_digest, *file_digests(mix)),
        ignored=("tokenizer",),
    )


def train_step(config: StudyConfig, cell: StudyCell, base: Base, mix: Done) -> Step:
    """``medctx-train sft`` of one cell on its mix."""
    settings = recipe(config, cell.method)
    content: Section = {
        **settings,
        "base": base.id,
        "mix": str(mix.folder),
        "seed": cell.seed,
        "name": cell.name,
    }
    if cell.epochs > 1:
        epochs = content.get("epochs", 1)
        content["epochs"] = cell.epochs * (epochs if isinstance(epochs, int) else 1)
    return Step(
        kind="train",
        label=cell.name,
        command=("medctx-train", "sft"),
        config=content,
        inputs=(mix_digest(mix), base.weights_digest, *file_digests(settings)),
        ignored=("base", "mix", "name"),
        heavy=True,
    )


def with_settings(step: Step, settings: Section) -> Step:
    """A step with further keys merged into its config."""
    return replace(step, config=deep_merge(step.config, settings), inputs=(*step.inputs, *file_digests(settings)))


def merge_step(cell: StudyCell, base: Base, weights: Weights) -> Step:
    """``medctx-train merge`` of one adapter."""
    return Step(
        kind="merge",
        label=cell.name,
        command=("medctx-train", "merge"),
        config={"base": base.id, "adapter": str(weights.folder)},
        inputs=(weights.digest, base.weights_digest),
        ignored=("base", "adapter"),
    )


def exam_model(cell: StudyCell, base: Base, weights: Weights | None, merged: Path | None) -> dict[str, JsonValue]:
    """One entry of an exam's ``models``: an untouched model, an adapter on its base, or weights of its own."""
    common: dict[str, JsonValue] = {"name": cell.name, "cell": cell.group}
    if base.folder is None:
        return {**common, "name": base.id}
    if weights is None:
        return {**common, "folder": str(base.folder), "weights_digest": base.weights_digest}
    common["training_seed"] = cell.seed
    if weights.kind == "model":
        return {**common, "folder": str(weights.folder), "weights_digest": weights.digest}
    tuned = {**common, "weights_digest": base.weights_digest, "adapter_digest": weights.digest}
    if merged is not None:
        return {**tuned, "folder": str(merged)}
    return {**tuned, "folder": str(base.folder), "adapter": str(weights.folder)}


def repeated(model: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The same entry for a second examination of the model, under a name of its own."""
    return {**model, "name": f"{model['name']}{AGAIN}"}


def exam_step(config: StudyConfig, bases: Sequence[Base], models: Sequence[Mapping[str, JsonValue]]) -> Step:
    """``medctx-eval run`` of all cells of one base.

    Its folder is shared by every study that asks the same exam of the same base; the command itself skips models it has
    examined.
    """
    exam = section(config, "exam")
    base = bases[0]
    if base.folder is None:
        model = config.model(base.label)
        exam |= {
            "engine": "endpoint",
            "mode": exam.get("mode", "text"),  # as cells that run here: what is compared is asked in one mode
            "urls": list(model.urls),
            "api_key_variable": model.key_variable,
            "tokenizer": model.tokenizer,
            **({"positions": model.positions} if model.positions else {}),
        }
    return Step(
        kind="exam",
        label=", ".join(entry.label for entry in bases) if config.bases else "all cells",
        command=("medctx-eval", "run"),
        config={**exam, "models": [dict(model) for model in models]},
        inputs=(base.weights_digest or base.id, *file_digests(exam)),
        ignored=("models", "urls", "api_key_variable"),
        reused=False,
        heavy=True,
    )
