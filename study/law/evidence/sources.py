"""The evidence in studies, reports and tables, several taken together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from medctx.errors import MedctxError
from study.law.evidence import files
from study.law.evidence import from_report as of_report
from study.law.evidence import from_table as of_table
from study.law.evidence.evidence import PARTS, Evidence
from study.law.evidence.points import Measured, MeasuredRun


def _joined(parts: Sequence[Measured]) -> Measured:
    """The runs of several studies as those of one; cells of the same name stay apart."""
    runs = [
        MeasuredRun(f"{run.cell} ({number})" if len(parts) > 1 else run.cell, run.place, run.accuracy, run.seed)
        for number, one in enumerate(parts, start=1)
        for run in one.runs
    ]
    bases = {one.base for one in parts}
    return Measured(parts[0].part, tuple(runs), bases.pop() if len(bases) == 1 else None, parts[0].noise)


def read(paths: Sequence[Path]) -> Evidence:
    """The evidence in study folders, reports and tables; several are taken together."""
    found = [
        of_table.read(path) if path.suffix == ".csv" else of_report.read(files.report_path(path)) for path in paths
    ]
    if len(found) == 1:
        return found[0]
    parts = {part: [one for source in found if (one := source.part(part))] for part in PARTS}
    sizes = {run.place.size for one in chain(*parts.values()) for run in one.runs}
    if len(sizes) > 1 and None in sizes:
        raise MedctxError(
            "Some of these studies do not say how large their base is; give models.NAME.parameters there."
        )
    return Evidence(
        name=" + ".join(one.name for one in found),
        measured=tuple(_joined(own) for own in parts.values() if own),
        intervals={},
        base_size=found[0].base_size,
        margin=found[0].margin,
        seeds=max(one.seeds for one in found),
        sources={path: value for one in found for path, value in one.sources.items()},
        notes=(
            *chain(*(one.notes for one in found)),
            "Errors by items are taken to hang together across the studies as within the first.",
        ),
    )
