"""From the outcome of a study's tasks to the result of each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from study.config.cells import StudyCell
from study.stages.bases import Base
from study.stages.cell_steps import mix_digest, weights_of
from study.stages.records import CellResult, Status
from study.stages.task_names import merge_task, mix_task, weights_task
from study.workflow.graph import Results


def _made(cell: StudyCell, results: Results) -> dict[str, object]:
    """What a cell's steps made."""
    made: dict[str, object] = {}
    mix = results.done.get(mix_task(cell))
    if mix is not None:
        made |= {"mix": mix.folder, "mix_digest": mix_digest(mix), "general_share": mix.result.numbers["general_share"]}
    trained = results.done.get(weights_task(cell))
    if trained is not None:
        weights, numbers = weights_of(trained), trained.result.numbers
        made |= {
            "trained": trained.folder,
            "weights": weights.folder,
            "weights_kind": weights.kind,
            "weights_digest": weights.digest,
        }
        if "tokens" in numbers:
            made |= {"tokens": int(numbers["tokens"]), "steps": int(numbers["steps"])}
            made |= {key: numbers[key] for key in ("seconds", "tokens_per_second", "last_loss")}
    return made


def _from_elsewhere(cell: StudyCell, base: Base | None) -> dict[str, object]:
    """The weights of a cell from elsewhere; nothing of a model behind an endpoint."""
    if base is None or base.folder is None:
        return {}
    if base.adapter is not None:
        return {"weights": base.adapter, "weights_kind": "adapter", "weights_digest": base.adapter_digest}
    return {"weights": base.folder, "weights_kind": "model", "weights_digest": base.weights_digest}


def cell_results(
    cells: Sequence[StudyCell],
    results: Results,
    exams: Mapping[str, Path],
    lost: Mapping[str, str],
    bases: Mapping[str, Base] = MappingProxyType({}),
) -> tuple[CellResult, ...]:
    """Every cell's result.

    Args:
        cells: The cells of the study.
        results: The outcome of its tasks.
        exams: Run folders by cell.
        lost: Why a cell could not be started, by cell.
        bases: The bases and the cells from elsewhere, by label.
    """
    rows = []
    for cell in cells:
        reason = lost.get(cell.name, "")
        if not reason and cell.trained:
            reason = results.failed.get(weights_task(cell), "")
        status: Status = "failed"
        if not reason:
            status = "done" if cell.name in exams else "not examined"
            reason = "" if status == "done" else _why_not_examined(cell, results)
        made = _made(cell, results) if cell.trained else {}
        if cell.origin:
            made = _from_elsewhere(cell, bases.get(cell.base))
        rows.append(CellResult(cell=cell, status=status, reason=reason, exam=exams.get(cell.name), **made))
    return tuple(rows)


def _why_not_examined(cell: StudyCell, results: Results) -> str:
    reasons = [reason for name, reason in results.failed.items() if name.startswith(("exam", merge_task(cell)))]
    return reasons[0] if reasons else "its exam did not say why"
