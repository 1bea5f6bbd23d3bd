"""The report of a study: ``medctx-eval report`` on the exams of its cells, told what each cell was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import JsonValue

from medctx.io.jsonl import write_text
from study.config.cells import Cell
from study.config.grid import untouched
from study.config.sections import laid_over, section
from study.config.study import Section, StudyConfig
from study.stages.cell_steps import AGAIN
from study.stages.exam_runs import Examined
from study.stages.summary import CellResult
from study.workflow import manifests
from study.workflow.commands import SILENT, call

WIDTH = {"COLUMNS": "150"}


def _by_group(cells: Sequence[CellResult]) -> dict[str, list[CellResult]]:
    """Trained and examined cells, seeds together."""
    found: dict[str, list[CellResult]] = {}
    for one in cells:
        if one.cell.trained and one.exam is not None:
            found.setdefault(one.cell.group, []).append(one)
    return found


def _method(one: CellResult) -> str:
    """How its weights were changed, beside its data: everything in which cells of one ratio and amount may differ."""
    cell = one.cell
    words = [
        cell.method,
        f"{cell.epochs} times" if cell.epochs > 1 else "",
        "" if cell.wrap is None else f"wrapped {cell.wrap:g}",
        cell.repair,
    ]
    return ", ".join(word for word in words if word)


def _recipe(own: Sequence[CellResult], base: str) -> dict[str, JsonValue]:
    """How the cell of these seeds was made: asked share, trained tokens (their mean), the cell it started from."""
    first = own[0]
    tokens = [one.tokens for one in own if one.tokens]
    amount: JsonValue = round(sum(tokens) / len(tokens)) if tokens else None
    return {"general_share": first.cell.general_share, "amount": amount, "base": base, "method": _method(first)}


def settings(config: StudyConfig, cells: Sequence[CellResult], contamination_reports: Sequence[Path] = ()) -> Section:
    """What the report is told: the study's own keys are laid over what follows from its cells."""
    names = {cell.base: cell.group for cell in untouched(config) if _has(cells, cell)}
    told: Section = {
        "title": config.title or config.name,
        "training": {
            one.cell.name: str(one.trained / manifests.LOG)
            for one in cells
            if one.trained is not None and one.exam is not None and one.tokens
        },
        "cells": {group: _recipe(own, names.get(own[0].cell.base, "")) for group, own in _by_group(cells).items()},
    }
    if contamination_reports:
        told["contamination"] = [str(contamination_report) for contamination_report in contamination_reports]
    if names:
        told["base"] = next(iter(names.values()))
    return laid_over(told, section(config, "report"))


def _has(cells: Sequence[CellResult], cell: Cell) -> bool:
    return any(one.cell.name == cell.name and one.exam is not None for one in cells)


def write(
    config: StudyConfig,
    cells: Sequence[CellResult],
    exams: Mapping[str, Examined],
    out: Path,
    contamination_reports: Sequence[Path] = (),
) -> str:
    """Make the report in ``out``; returns its table."""
    file = out / "report.yaml"
    write_text(
        file, yaml.safe_dump(settings(config, cells, contamination_reports), sort_keys=False, allow_unicode=True)
    )
    names = [name for one in cells for name in (one.cell.name, one.cell.name + AGAIN)]
    runs = [str(exams[name].run) for name in names if name in exams]
    return call(["medctx-eval", "report", *runs, "--config", str(file), "--out", str(out)], {**SILENT, **WIDTH})
