"""The exam size needed for a difference, and what an exam of a given size detects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from medctx.errors import MedctxError
from medctx.schemas.records import Record
from medctx.schemas.report import KNOWLEDGE, READING
from medctx.schemas.statistics import MIN_CLUSTERS
from medctx_eval.power.power import (
    Disagreement,
    ExamDesign,
    clusters_needed,
    detectable_difference,
    measure_disagreement,
    power,
)
from medctx_eval.report.load.cells import headline_mode
from medctx_eval.report.load.collect import collect
from medctx_eval.report.load.parts import masks

CORRELATIONS = (0.0, 0.1, 0.3)
ITEMS_PER_CLUSTER = (1.0, 5.0, 20.0)
LONGHEALTH = ("LongHealth", ExamDesign(clusters=20, per_cluster=20))
"""Adams et al. (2024), arXiv 2401.14490: 20 patients with 20 questions each."""
MIN_DISCORDANT = 8
"""Items answered differently below which the power formula is too optimistic: 27 % observed for 38 % at four items."""


class NeededSize(Record):
    """The smallest exam that detects the difference between two such models.

    Attributes:
        models: How the models differ.
        per_cluster: Items per cluster (Book, document, patient).
        clusters: Number of clusters.
        items: Number of items.
    """

    models: Disagreement
    per_cluster: float
    clusters: int
    items: int


class ExamPower(Record):
    """What an exam detects between two such models.

    Attributes:
        exam: Name of the exam, or the part of it.
        design: Its size.
        models: How the models differ.
        detectable: Smallest difference found with the target power, in (0, 1); None if there is none.
        power: Power for the difference in question, in [0, 1].
    """

    exam: str
    design: ExamDesign
    models: Disagreement
    detectable: float | None
    power: float = Field(ge=0, le=1)


class ExamSize(Record):
    """Everything ``medctx-eval power`` shows, for the difference ``delta`` in (0, 1) and the ``target`` power."""

    delta: float
    target: float
    assumptions: tuple[str, ...]
    needed: tuple[NeededSize, ...]
    exams: tuple[ExamPower, ...]


class MeasuredPart(Record):
    """One part of an exam that two runs took: how the models differ, and its design."""

    part: str
    models: Disagreement
    design: ExamDesign


def measured_parts(folders: Sequence[Path]) -> tuple[MeasuredPart, ...]:
    """Discordance, correlation and design of knowledge and reading from two run folders.

    Raises:
        MedctxError: If there are not two runs, or they were asked neither knowledge nor reading.
    """
    run_set = collect(folders)
    matrix = run_set.modes[headline_mode(run_set)]
    if len(matrix.values) != 2:
        raise MedctxError(f"--runs measures how two models differ, and {len(matrix.values)} were given; give two.")
    clusters = matrix.cluster[matrix.starts].astype(np.int64)
    parts = []
    for part, mask in masks(matrix).items():
        kept = mask & matrix.fits
        if part in (KNOWLEDGE, READING) and kept.any():
            models, design = measure_disagreement(matrix.values[0][kept] - matrix.values[1][kept], clusters[kept])
            parts.append(MeasuredPart(part=part, models=models, design=design))
    if not parts:
        raise MedctxError("The runs were asked neither knowledge nor reading; give runs of another exam.")
    return tuple(parts)


def _needed(
    delta: float, target: float, models: Sequence[Disagreement], per_cluster: Sequence[float]
) -> Iterator[NeededSize]:
    for size in per_cluster:
        # The correlation within a cluster has no effect on clusters of one item.
        for disagreement in models if size > 1 else models[:1]:
            clusters = max(MIN_CLUSTERS, clusters_needed(delta, disagreement, size, target=target))
            items = round(clusters * size)
            yield NeededSize(models=disagreement, per_cluster=size, clusters=clusters, items=items)


def _exam_power(name: str, design: ExamDesign, models: Disagreement, delta: float, target: float) -> ExamPower:
    """Return the power; 0 below ten clusters, where nothing is called a difference."""
    enough = design.clusters >= MIN_CLUSTERS
    return ExamPower(
        exam=name,
        design=design,
        models=models,
        detectable=detectable_difference(models, design, target) if enough else None,
        power=power(delta, models, design) if enough and delta < models.discordance else 0.0,
    )


def _sparse_warning(exams: Sequence[ExamPower], needed: Sequence[NeededSize]) -> tuple[str, ...]:
    """Return a warning if too few items are answered differently for the formula to hold."""
    discordant = [exam.design.items * exam.models.discordance for exam in exams]
    discordant += [size.items * size.models.discordance for size in needed]
    if not discordant or min(discordant) >= MIN_DISCORDANT:
        return ()
    return (
        f"Where fewer than {MIN_DISCORDANT} items are answered differently, an exam detects less than is stated here: "
        "five of five in one direction are not significant.",
    )


def _assumptions(models: Sequence[Disagreement], source: str, target: float) -> tuple[str, ...]:
    discordance = " and ".join(dict.fromkeys(f"{disagreement.discordance:.1%}" for disagreement in models))
    icc = ", ".join(dict.fromkeys(f"{disagreement.icc:.2f}" for disagreement in models))
    return (
        f"Both models answer every item; exactly one of them is right on {discordance} of the items ({source}).",
        f"Within a cluster (a Book, document or patient) their differences correlate by {icc} ({source}).",
        f"A difference is detected if its two-sided 95 % interval excludes 0, in {target:.0%} of such exams; t "
        f"distribution with clusters - 1 degrees of freedom; below {MIN_CLUSTERS} clusters nothing is called a "
        "difference.",
        "One run per model: the variance of training seeds comes in addition and is not reduced by more items.",
    )


def assumed(
    delta: float,
    target: float,
    *,
    discordance: float,
    correlations: Sequence[float] = CORRELATIONS,
    per_cluster: Sequence[float] = ITEMS_PER_CLUSTER,
    exam: ExamDesign | None = None,
) -> ExamSize:
    """Power and sizes from assumed values.

    Args:
        delta: Difference to detect, in (0, 1).
        target: Power to reach.
        discordance: Share of items that exactly one model answers correctly.
        correlations: Correlations within a cluster.
        per_cluster: Items per cluster.
        exam: The exam in question; LongHealth as an example by default.
    """
    models = [Disagreement(discordance=discordance, icc=icc) for icc in correlations]
    name, design = LONGHEALTH if exam is None else ("this exam", exam)
    needed = tuple(_needed(delta, target, models, per_cluster))
    exams = tuple(_exam_power(name, design, disagreement, delta, target) for disagreement in models)
    return ExamSize(
        delta=delta,
        target=target,
        assumptions=(*_assumptions(models, "assumed", target), *_sparse_warning(exams, needed)),
        needed=needed,
        exams=exams,
    )


def from_runs(delta: float, target: float, parts: Sequence[MeasuredPart], exam: ExamDesign | None = None) -> ExamSize:
    """Power of the exam two runs took (or of ``exam``), and the size it would need, from what the runs measured."""
    needed: list[NeededSize] = []
    exams, impossible = [], []
    for measured_part in parts:
        models = measured_part.models
        design = measured_part.design if exam is None else exam
        exams.append(_exam_power(measured_part.part, design, models, delta, target))
        if delta < models.discordance:
            needed += _needed(delta, target, [models], [design.per_cluster])
        else:
            impossible.append(
                f"These runs answer too few items of {measured_part.part} differently to differ by that much."
            )
    assumptions = _assumptions([measured_part.models for measured_part in parts], "measured", target)
    return ExamSize(
        delta=delta,
        target=target,
        assumptions=(*assumptions, *impossible, *_sparse_warning(exams, needed)),
        needed=tuple(needed),
        exams=tuple(exams),
    )
