"""The evidence in studies, reports and tables, several taken together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from medctx.errors import MedctxError
from study.law.evidence import files
from study.law.evidence.evidence import PARTS, Evidence
from study.law.evidence.points import Measured, MeasuredRun


def _joined(parts: Sequence[Measured]) -> Measured:
    """The runs of several studies as those of one; cells of the same name stay apart."""
    runs = [
        MeasuredRun(f"{run.cell} ({number})" if len(parts) > 1 else run.cell, run.place, run.accuracy, run.seed)
        for number, part in enumerate(parts, start=1)
        for run in part.runs
    ]
    bases = {part.base for part in parts}
    return Measured(parts[0].part, tuple(runs), bases.pop() if len(bases) == 1 else None, parts[0].noise)


def read_evidence(paths: Sequence[Path]) -> Evidence:
    """The evidence in study folders, reports and tables; several are taken together."""
    # Imported here, so that commands that fit no law do not wait for scipy and statsmodels.
    from study.law.evidence import from_report as of_report
    from study.law.evidence import from_table as of_table

    evidence = [
        of_table.read_points_table(path)
        if path.suffix == ".csv"
        else of_report.read_study_report(files.report_path(path))
        for path in paths
    ]
    if len(evidence) == 1:
        return evidence[0]
    parts = {part: [points for source in evidence if (points := source.part(part))] for part in PARTS}
    sizes = {run.place.size for part in chain(*parts.values()) for run in part.runs}
    if len(sizes) > 1 and None in sizes:
        raise MedctxError(
            "Some of these studies do not say how large their base is; give models.NAME.parameters there."
        )
    return Evidence(
        name=" + ".join(source.name for source in evidence),
        measured=tuple(_joined(points) for points in parts.values() if points),
        intervals={},
        base_size=evidence[0].base_size,
        margin=evidence[0].margin,
        seeds=max(source.seeds for source in evidence),
        sources={path: value for source in evidence for path, value in source.sources.items()},
        notes=(
            *chain(*(source.notes for source in evidence)),
            "Item errors are assumed to correlate across the studies as within the first.",
        ),
    )
