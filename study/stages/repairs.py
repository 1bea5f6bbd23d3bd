"""Repaired cells: what ``arms`` of the study do to a trained cell.

An arm is a config of ``medctx-train repair``; one that names no adapter repairs that of the trained cell. In its texts
``${cell}`` stands for the weights of the trained cell, ``${base}`` for the base model, and ``${RATIO}`` for the weights
of the cell that differs from it in that ratio alone. The arm ``retune`` is the study's own: the trained cell is merged
and fine-tuned further on ``amount`` in ``ratio``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from medctx.errors import MedctxError
from medctx.schemas.ratio import lowest_terms
from study.config.cells import StudyCell
from study.config.grid import source_of
from study.config.sections import file_digests
from study.config.study import Section, StudyConfig
from study.stages.bases import Base
from study.stages.cell_steps import Weights
from study.workflow.steps import Step

RETUNE = "retune"
_SUBJECTS = frozenset({"adapter", "adapters", "tuned"})
_REFERENCE = re.compile(r"\$\{([^}]+)\}")


def arm(config: StudyConfig, cell: StudyCell) -> Section:
    """The arm that makes a repaired cell."""
    return config.arms[cell.repair]


def is_retuned(config: StudyConfig, cell: StudyCell) -> bool:
    """Whether a repaired cell is fine-tuned further."""
    return bool(cell.repair) and arm(config, cell).get("arm") == RETUNE


def retuning(config: StudyConfig, cell: StudyCell) -> StudyCell:
    """The mix a retuned cell is trained further on, as a cell: its ratio and amount are the arm's."""
    settings = arm(config, cell)
    ratio, amount = str(settings.get("ratio", "1:0")), settings.get("amount", cell.amount)
    if not isinstance(amount, int) or amount < 1:
        raise MedctxError(f"The key arms.{cell.repair}.amount is {amount!r}, which is no amount; give a whole number.")
    return cell.model_copy(update={"ratio": lowest_terms(ratio), "amount": amount, "epochs": 1})


def retuning_settings(config: StudyConfig, cell: StudyCell) -> Section:
    """Keys of the further training that differ from the study's own."""
    return {key: value for key, value in arm(config, cell).items() if key not in {"arm", "ratio", "amount"}}


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        yield from _texts(item)


def repair_sources(config: StudyConfig, cell: StudyCell, cells: Sequence[StudyCell]) -> dict[str, StudyCell]:
    """The trained cells an arm names, by their reference in the arm; its own trained cell always."""
    source = source_of(cell, cells)
    named = {"cell": source}
    for text in _texts(dict(arm(config, cell))):
        for name in _REFERENCE.findall(text):
            if name in {"cell", "base"} or name in named:
                continue
            twins = [
                other
                for other in cells
                if other.trained and other.ratio == name and _differs_in_ratio_alone(other, source)
            ]
            if not twins:
                raise MedctxError(
                    f"The arm {cell.repair} names ${{{name}}}, and there is no cell of that ratio beside "
                    f"{source.name}; name ratios of this study, cell or base."
                )
            named[name] = twins[0]
    return named


def _differs_in_ratio_alone(other: StudyCell, source: StudyCell) -> bool:
    same = ("base", "amount", "epochs", "seed", "method", "sources", "wrap", "repair")
    return all(getattr(other, axis) == getattr(source, axis) for axis in same)


def _filled(value: JsonValue, places: Mapping[str, str]) -> JsonValue:
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: places[match[1]], value)
    if isinstance(value, list):
        return [_filled(item, places) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, places) for key, item in value.items()}
    return value


def _with_defaults(settings: Section, weights: Weights) -> Section:
    """An arm with its defaults: it starts from the base and repairs the weights of the trained cell."""
    subject: Section = {} if _SUBJECTS & settings.keys() else {weights.kind.replace("model", "tuned"): "${cell}"}
    return {"base": "${base}", **subject, **settings}


def repair_step(config: StudyConfig, cell: StudyCell, base: Base, weights: Mapping[str, Weights]) -> Step:
    """``medctx-train repair`` of one cell; ``weights`` by the names of ``repair_sources``.

    The step's key holds the arm as it is written and the digests of what its references stand for.
    """
    written = _with_defaults(arm(config, cell), weights["cell"])
    places = {"base": base.id, **{name: str(named.folder) for name, named in weights.items()}}
    filled = {key: _filled(value, places) for key, value in written.items()}
    moved = tuple(key for key, value in written.items() if filled[key] != value)
    unchanged: Section = {key: value for key, value in filled.items() if key not in moved}
    return Step(
        kind="repair",
        label=cell.name,
        command=("medctx-train", "repair"),
        config={**unchanged, **{key: filled[key] for key in moved}},
        inputs=(
            base.weights_digest,
            *file_digests(written),
            *(f"{key}={written[key]}" for key in moved),
            *(f"{name}={named.digest}" for name, named in weights.items()),
        ),
        ignored=moved,
        heavy=True,
    )
