"""The report of a study: ``medctx-eval report`` on the exams of its cells, with what each cell was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import JsonValue

from medctx.config.loading import deep_merge
from medctx.io.jsonl import write_text
from medctx.schemas.sft import TRAINING_LOG
from study.config.cells import StudyCell
from study.config.grid import untouched
from study.config.sections import section
from study.config.study import Section, StudyConfig
from study.registration.plan import margin_of
from study.stages.cell_steps import AGAIN
from study.stages.exam_runs import ExamRun
from study.stages.records import CellResult
from study.workflow.commands import call


def _by_group(cells: Sequence[CellResult]) -> dict[str, list[CellResult]]:
    """Group examined cells that are compared with a base and differ in the seed only."""
    groups: dict[str, list[CellResult]] = {}
    for result in cells:
        if result.cell.compared and result.exam is not None:
            groups.setdefault(result.cell.group, []).append(result)
    return groups


def _method(cell: StudyCell) -> str:
    """How its weights were changed: everything in which cells of one ratio and amount may differ."""
    words = [
        cell.method,
        f"{cell.epochs} times" if cell.epochs > 1 else "",
        cell.sources,
        "" if cell.wrap is None else f"wrapped {cell.wrap:g}",
        cell.repair,
        f"{cell.origin} from elsewhere" if cell.origin else "",
    ]
    return ", ".join(word for word in words if word)


def _recipe(seeds: Sequence[CellResult], base: str) -> dict[str, JsonValue]:
    """How a cell was made: requested share, trained tokens (mean over its seeds), the cell it started from."""
    first = seeds[0]
    tokens = [result.tokens for result in seeds if result.tokens]
    amount: JsonValue = round(sum(tokens) / len(tokens)) if tokens else None
    return {"general_share": first.cell.general_share, "amount": amount, "base": base, "method": _method(first.cell)}


@dataclass(frozen=True, slots=True)
class Attached:
    """What a report takes besides the exams: the registered plan and deviations from it, contamination reports,
    confirmation runs.
    """

    plan: Path | None = None
    contamination: Sequence[Path] = ()
    confirmation: Sequence[Path] = ()
    confirmation_contamination: Sequence[Path] = ()
    deviations: Sequence[str] = ()


def report_config(config: StudyConfig, cells: Sequence[CellResult], attached: Attached = Attached()) -> Section:
    """The config of the report: what follows from the cells, with the study's own keys merged into it."""
    names = {cell.base: cell.group for cell in untouched(config.labels) if _has(cells, cell)}
    keys: Section = {
        "title": config.title or config.name,
        "training": {
            result.cell.name: str(result.trained / TRAINING_LOG)
            for result in cells
            if result.trained is not None and result.exam is not None and result.tokens
        },
        "cells": {
            group: _recipe(seeds, names.get(seeds[0].cell.compared_with, ""))
            for group, seeds in _by_group(cells).items()
        },
    }
    if attached.contamination:
        keys["contamination"] = [str(folder) for folder in attached.contamination]
    if attached.plan is not None:
        keys |= {"plan": str(attached.plan), "margin": margin_of(config)}
    if attached.confirmation:
        keys["confirmation"] = [str(folder) for folder in attached.confirmation]
    if attached.confirmation_contamination:
        keys["confirmation_contamination"] = [str(folder) for folder in attached.confirmation_contamination]
    if names:
        keys["base"] = next(iter(names.values()))
    merged = deep_merge(keys, section(config, "report"))
    return {**merged, "deviations": list(attached.deviations)} if attached.deviations else merged


def _has(cells: Sequence[CellResult], cell: StudyCell) -> bool:
    return any(result.cell.name == cell.name and result.exam is not None for result in cells)


def write_study_report(
    config: StudyConfig,
    cells: Sequence[CellResult],
    exams: Mapping[str, ExamRun],
    out: Path,
    attached: Attached = Attached(),
) -> str:
    """Make the report in ``out``; returns its table as text."""
    file = out / "report.yaml"
    write_text(file, yaml.safe_dump(report_config(config, cells, attached), sort_keys=False, allow_unicode=True))
    names = [name for result in cells for name in (result.cell.name, result.cell.name + AGAIN)]
    runs = [str(exams[name].run) for name in names if name in exams]
    result = call(["medctx-eval", "report", *runs, "--config", str(file), "--out", str(out)])
    return result.text.rstrip("\n")
