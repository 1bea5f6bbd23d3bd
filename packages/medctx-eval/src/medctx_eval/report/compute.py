"""From lined-up runs to a Report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import cast

from medctx.errors import MedctxError
from medctx.records import Mode, Verdict
from medctx_eval.report import parts
from medctx_eval.report.collect import Aligned
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.model import KNOWLEDGE, READING, UNTAUGHT, Cell, Comparison, Family, Letters, Report, Score
from medctx_eval.report.ratios import general_share
from medctx_eval.stats import accuracy, difference, holm
from medctx_eval.stats.clusters import BoolArray

READABLE = (Verdict.CORRECT, Verdict.WRONG, Verdict.ABSTAINED)
UNREADABLE = (Verdict.UNPARSABLE, Verdict.TRUNCATED, Verdict.FAILED)


def _base_name(aligned: Aligned, wanted: str) -> str:
    if wanted:
        if wanted not in aligned.names:
            raise MedctxError(f"There is no run {wanted!r} to be the base; the runs are: {', '.join(aligned.names)}.")
        return wanted
    untouched = (n for n, m in zip(aligned.names, aligned.manifests, strict=True) if not m.adapter_digest)
    return next(untouched, aligned.names[0])


def _cells(aligned: Aligned, config: ReportConfig) -> tuple[Cell, ...]:
    for name, share in config.ratios.items():
        if name not in aligned.names or not 0 <= share <= 1:
            raise MedctxError(
                f"The key ratios.{name} ({share}) names no run or is outside [0, 1]; the runs are: "
                f"{', '.join(aligned.names)}."
            )
    base = _base_name(aligned, config.base)
    cells = [
        Cell(
            name=name,
            base=name == base,
            general_share=None if name == base else general_share(name, config.ratios),
            manifest=manifest,
        )
        for name, manifest in zip(aligned.names, aligned.manifests, strict=True)
    ]
    return tuple(sorted(cells, key=lambda cell: (not cell.base, -(cell.general_share or 0.0))))


def _score(aligned: Aligned, cell: str, part: str, mode: Mode, mask: BoolArray) -> Score:
    row = aligned.names.index(cell)
    counts = Counter(aligned.verdicts[row, mask].tolist())
    total = int(mask.sum())
    correct = accuracy(aligned.correct[row, mask], aligned.clusters[mask])
    return Score(
        cell=cell,
        part=part,
        mode=mode,
        verdicts={verdict: counts[verdict] for verdict in Verdict},
        accuracy=correct,
        validity=sum(counts[verdict] for verdict in READABLE) / total,
        upper=(counts[Verdict.CORRECT] + sum(counts[verdict] for verdict in UNREADABLE)) / total,
    )


def _compare(
    aligned: Aligned, pair: tuple[str, str], part: str, family: Family, mask: BoolArray, config: ReportConfig
) -> Comparison | None:
    """Nothing where no item fits both."""
    first, second = (aligned.names.index(name) for name in pair)
    kept = mask & ~aligned.misfit[first] & ~aligned.misfit[second]
    if not kept.any():
        return None
    found = difference(
        aligned.correct[first, kept],
        aligned.correct[second, kept],
        aligned.clusters[kept],
        draws=config.draws,
        seed=config.seed,
    )
    return Comparison(
        cell=pair[0],
        other=pair[1],
        part=part,
        family=family,
        difference=found,
        word=found.word,
        dropped=int(mask.sum() - kept.sum()),
        p_holm=found.p_swap,
        p_mcnemar_holm=found.p_mcnemar,
    )


def _adjusted(family: Sequence[Comparison]) -> Iterator[Comparison]:
    swap = holm([one.difference.p_swap for one in family])
    mcnemar = holm([one.difference.p_mcnemar for one in family])
    for one, p_swap, p_mcnemar in zip(family, swap, mcnemar, strict=True):
        yield one.model_copy(update={"p_holm": p_swap, "p_mcnemar_holm": p_mcnemar})


def _families(masks: dict[str, BoolArray]) -> dict[Family, list[str]]:
    """Which parts each family compares on."""
    headline = [part for part in (KNOWLEDGE, READING) if part in masks]
    conditions = [part for part in masks if part not in (KNOWLEDGE, READING, UNTAUGHT)]
    grid = [part for part in conditions if parts.without_depth(part) != part]
    return {
        "headline": headline,
        "pairs": headline,
        "untaught": [part for part in masks if part == UNTAUGHT],
        "conditions": [part for part in conditions if part not in grid],
        "grid": grid,
    }


def _comparisons(
    aligned: Aligned, names: Sequence[str], masks: dict[str, BoolArray], config: ReportConfig
) -> Iterator[Comparison]:
    """``names``: base first."""
    base, *tuned = names
    every = [(names[later], names[earlier]) for later in range(len(names)) for earlier in range(later)]
    for family, wanted in _families(masks).items():
        pairs = every if family == "pairs" else [(name, base) for name in tuned]
        found = [_compare(aligned, pair, part, family, masks[part], config) for part in wanted for pair in pairs]
        yield from _adjusted([one for one in found if one is not None])


def _shares(letters: Sequence[tuple[str, ...]]) -> dict[str, float]:
    """Every answer weighs 1, dealt over its letters."""
    total: defaultdict[str, float] = defaultdict(float)
    answered = [chosen for chosen in letters if chosen]
    for chosen in answered:
        for letter in chosen:
            total[letter] += 1 / len(chosen)
    return {letter: total[letter] / len(answered) for letter in sorted(total)}


def _letters(aligned: Aligned, cell: str, mode: Mode) -> Letters | None:
    row = aligned.names.index(cell)
    places = [place for place, one in enumerate(aligned.asked) if one.mode == mode]
    chosen = [aligned.chosen[row][place] for place in places]
    if not any(chosen):
        return None
    gold = _shares([aligned.asked[place].gold for place in places])
    return Letters(cell=cell, mode=mode, n=len(places), chosen=_shares(chosen), gold=gold)


def compute(aligned: Aligned, config: ReportConfig) -> Report:
    """Every number of the report; the headline is written by :mod:`medctx_eval.report.words`."""
    mode = cast("Mode", aligned.manifests[0].mode)
    modes = sorted({one.mode for one in aligned.asked}, key=lambda one: one != mode)
    if mode not in modes:
        raise MedctxError(
            f"The headline mode of run {aligned.names[0]} is {mode!r}, but it judged no item in it; examine it again."
        )
    cells = _cells(aligned, config)
    names = [cell.name for cell in cells]
    masks = {one: parts.masks(aligned, one) for one in modes}
    return Report(
        title=config.title,
        headline="",
        base=names[0],
        mode=mode,
        margin=config.margin,
        draws=config.draws,
        seed=config.seed,
        cells=cells,
        scores=tuple(
            _score(aligned, name, part, one, mask)
            for one in modes
            for name in names
            for part, mask in masks[one].items()
        ),
        comparisons=tuple(_comparisons(aligned, names, masks[mode], config)),
        letters=tuple(found for one in modes for name in names if (found := _letters(aligned, name, one)) is not None),
    )
