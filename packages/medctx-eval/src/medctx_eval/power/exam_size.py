"""How large an exam must be to see a difference, and what an exam of a given size sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from medctx.errors import MedctxError
from medctx.schemas.records import Record
from medctx.schemas.report import FEWEST
from medctx_eval.power.power import Design, Disagreement, clusters_needed, detectable, measure, power
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.cells import headline_mode
from medctx_eval.report.load.collect import collect
from medctx_eval.report.load.parts import masks
from medctx_eval.report.model import KNOWLEDGE, READING

CORRELATIONS = (0.0, 0.1, 0.3)
PER_CLUSTER = (1.0, 5.0, 20.0)
LONGHEALTH = ("LongHealth", Design(clusters=20, per_cluster=20))
"""Adams et al. (2024), arXiv 2401.14490: 20 patients with 20 questions each."""


FEWEST_TOLD = 8
"""Items answered differently below which the power formula promises too much: seen 27 % for 38 % at four."""


class Need(Record):
    """The smallest exam that sees the wanted difference between two such models, in ``clusters`` of ``per_cluster``
    items (Books, documents, patients).
    """

    models: Disagreement
    per_cluster: float
    clusters: int
    items: int


class Sight(Record):
    """What an exam sees of two such models: the smallest difference found with the wanted power (nothing: none), and
    the power in [0, 1] for the wanted difference.
    """

    exam: str
    design: Design
    models: Disagreement
    detectable: float | None
    power: float = Field(ge=0, le=1)


class ExamSize(Record):
    """Everything ``medctx-eval power`` shows. ``delta`` in (0, 1), ``wanted`` the power asked for."""

    delta: float
    wanted: float
    assumptions: tuple[str, ...]
    needs: tuple[Need, ...]
    sights: tuple[Sight, ...]


class Measured(Record):
    """One part of an exam that two runs sat: how they differ, and its design."""

    part: str
    models: Disagreement
    design: Design


def measured(folders: Sequence[Path]) -> tuple[Measured, ...]:
    """Discordance, correlation and design of knowledge and reading from two run folders."""
    collected = collect(folders)
    own = collected.modes[headline_mode(collected, ReportConfig())]
    if len(own.values) != 2:
        raise MedctxError(f"--runs measures how two models differ, and {len(own.values)} were given; give two.")
    clusters = own.cluster[own.starts].astype(np.int64)
    found = []
    for part, mask in masks(own).items():
        kept = mask & own.fits
        if part in (KNOWLEDGE, READING) and kept.any():
            models, design = measure(own.values[0][kept] - own.values[1][kept], clusters[kept])
            found.append(Measured(part=part, models=models, design=design))
    if not found:
        raise MedctxError("The runs were asked nothing of knowledge or reading; give runs of another exam.")
    return tuple(found)


def _needs(delta: float, wanted: float, models: Sequence[Disagreement], sizes: Sequence[float]) -> Iterator[Need]:
    for per_cluster in sizes:
        # Single items correlate with nothing.
        for one in models if per_cluster > 1 else models[:1]:
            clusters = max(FEWEST, clusters_needed(delta, one, per_cluster, wanted=wanted))
            yield Need(models=one, per_cluster=per_cluster, clusters=clusters, items=round(clusters * per_cluster))


def _sight(name: str, design: Design, models: Disagreement, delta: float, wanted: float) -> Sight:
    """Below ten clusters nothing is called a difference, so nothing is seen."""
    enough = design.clusters >= FEWEST
    return Sight(
        exam=name,
        design=design,
        models=models,
        detectable=detectable(models, design, wanted) if enough else None,
        power=power(delta, models, design) if enough and delta < models.discordance else 0.0,
    )


def _sparse(sights: Sequence[Sight], needs: Sequence[Need]) -> tuple[str, ...]:
    """A warning where so few items tell the models apart that no formula holds."""
    told = [one.design.items * one.models.discordance for one in sights]
    told += [one.items * one.models.discordance for one in needs]
    if not told or min(told) >= FEWEST_TOLD:
        return ()
    return (
        f"Where fewer than {FEWEST_TOLD} items are answered differently, an exam sees less than is said here: five of "
        "five are no finding yet.",
    )


def _assumptions(models: Sequence[Disagreement], source: str, wanted: float) -> tuple[str, ...]:
    discordance = " and ".join(dict.fromkeys(f"{one.discordance:.1%}" for one in models))
    icc = ", ".join(dict.fromkeys(f"{one.icc:.2f}" for one in models))
    return (
        f"Both models answer every item; exactly one of them is right on {discordance} of the items ({source}).",
        f"Within a cluster (a Book, document or patient) their differences correlate by {icc} ({source}).",
        f"A difference is seen when its two-sided 95 % interval excludes 0, in {wanted:.0%} of such exams; t "
        f"distribution with clusters - 1 degrees of freedom; below {FEWEST} clusters nothing is called a difference.",
        "One run per model: training seeds that differ add to the noise, and more items do not take that away.",
    )


def assumed(
    delta: float,
    wanted: float,
    *,
    discordance: float,
    correlations: Sequence[float] = CORRELATIONS,
    per_cluster: Sequence[float] = PER_CLUSTER,
    exam: Design | None = None,
) -> ExamSize:
    """From stated values; ``exam`` is the one in question (nothing: LongHealth, as an example)."""
    models = [Disagreement(discordance=discordance, icc=icc) for icc in correlations]
    name, design = LONGHEALTH if exam is None else ("this exam", exam)
    needs = tuple(_needs(delta, wanted, models, per_cluster))
    sights = tuple(_sight(name, design, one, delta, wanted) for one in models)
    return ExamSize(
        delta=delta,
        wanted=wanted,
        assumptions=(*_assumptions(models, "assumed", wanted), *_sparse(sights, needs)),
        needs=needs,
        sights=sights,
    )


def from_runs(delta: float, wanted: float, found: Sequence[Measured], exam: Design | None = None) -> ExamSize:
    """From what two runs measured: what their exam sees, or ``exam``, and how large it would have to be."""
    needs: list[Need] = []
    sights, alike = [], []
    for one in found:
        design = one.design if exam is None else exam
        sights.append(_sight(one.part, design, one.models, delta, wanted))
        if delta < one.models.discordance:
            needs += _needs(delta, wanted, [one.models], [design.per_cluster])
        else:
            alike.append(f"These runs answer so few items of {one.part} differently that no exam finds that much.")
    return ExamSize(
        delta=delta,
        wanted=wanted,
        assumptions=(*_assumptions([one.models for one in found], "measured", wanted), *alike, *_sparse(sights, needs)),
        needs=tuple(needs),
        sights=tuple(sights),
    )
