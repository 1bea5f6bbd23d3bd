"""Repaired cells: what is done to a trained cell afterwards, as ``arms`` of the study say it.

An arm is what ``medctx-train repair`` is told; one that names no adapter mends that of the trained cell. In its texts
``${cell}`` stands for the weights of the trained cell, ``${base}`` for the base model, and ``${RATIO}`` for the weights
of the cell that differs from it in that ratio alone. The arm ``retune`` is the study's own: the trained cell, merged,
is fine-tuned further on ``amount`` in ``ratio``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from medctx.errors import MedctxError
from study.config.cells import Cell, general_share
from study.config.grid import source_of
from study.config.study import Section, StudyConfig
from study.stages.bases import Base
from study.workflow import manifests
from study.workflow.manifests import Weights
from study.workflow.steps import Step

RETUNE = "retune"
_SUBJECTS = frozenset({"adapter", "adapters", "tuned"})
_PLACE = re.compile(r"\$\{([^}]+)\}")


def arm(config: StudyConfig, cell: Cell) -> Section:
    """What is done to make a repaired cell."""
    return config.arms[cell.repair]


def is_retuned(config: StudyConfig, cell: Cell) -> bool:
    """Whether a repaired cell is fine-tuned further."""
    return bool(cell.repair) and arm(config, cell).get("arm") == RETUNE


def retuning(config: StudyConfig, cell: Cell) -> Cell:
    """The mix a retuned cell goes on with, as a cell: its ratio and amount are the arm's."""
    told = arm(config, cell)
    ratio, amount = str(told.get("ratio", "1:0")), told.get("amount", cell.amount)
    general_share(ratio)
    if not isinstance(amount, int) or amount < 1:
        raise MedctxError(f"The key arms.{cell.repair}.amount is {amount!r}, which is no amount; give a whole number.")
    return cell.model_copy(update={"ratio": ratio, "amount": amount, "epochs": 1})


def retuning_settings(config: StudyConfig, cell: Cell) -> Section:
    """What the trainer is told beside the study's own settings when it goes on."""
    return {key: value for key, value in arm(config, cell).items() if key not in {"arm", "ratio", "amount"}}


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        yield from _texts(one)


def sources(config: StudyConfig, cell: Cell, cells: Sequence[Cell]) -> dict[str, Cell]:
    """The trained cells an arm names, by what it calls them; its own trained cell always."""
    own = source_of(cell, cells)
    found = {"cell": own}
    for text in _texts(dict(arm(config, cell))):
        for name in _PLACE.findall(text):
            if name in {"cell", "base"} or name in found:
                continue
            twin = [one for one in cells if one.trained and one.ratio == name and _differs_in_ratio_alone(one, own)]
            if not twin:
                raise MedctxError(
                    f"The arm {cell.repair} names ${{{name}}}, and there is no cell of that ratio beside {own.name}; "
                    "name ratios of this study, cell or base."
                )
            found[name] = twin[0]
    return found


def _differs_in_ratio_alone(one: Cell, own: Cell) -> bool:
    same = ("base", "amount", "epochs", "seed", "method", "wrap", "repair")
    return all(getattr(one, axis) == getattr(own, axis) for axis in same)


def _filled(value: JsonValue, places: Mapping[str, str]) -> JsonValue:
    if isinstance(value, str):
        return _PLACE.sub(lambda found: places[found[1]], value)
    if isinstance(value, list):
        return [_filled(one, places) for one in value]
    if isinstance(value, dict):
        return {key: _filled(one, places) for key, one in value.items()}
    return value


def _written(asked: Section, weights: Weights) -> Section:
    """An arm with what goes without saying: it starts from the base, and mends the weights of the trained cell."""
    own: Section = {} if _SUBJECTS & asked.keys() else {weights.kind.replace("model", "tuned"): "${cell}"}
    return {"base": "${base}", **own, **asked}


def repair_step(config: StudyConfig, cell: Cell, base: Base, weights: Mapping[str, Weights]) -> Step:
    """``medctx-train repair`` of one cell; ``weights`` by the names :func:`sources` gives. The key holds the arm as it
    is written and the digests of what its names stand for.
    """
    written = _written(arm(config, cell), weights["cell"])
    places = {"base": base.id, **{name: str(one.folder) for name, one in weights.items()}}
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
            *(f"{key}={written[key]}" for key in moved),
            *(f"{name}={one.digest}" for name, one in weights.items()),
        ),
        manifest=manifests.REPAIR,
        ignored=moved,
        heavy=True,
    )
