"""Every comparison of a report, in families whose p values are adjusted together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from medctx.schemas.report import Cell, Comparison, Difference, Family
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load import parts
from medctx_eval.report.load.view import Sheet
from medctx_eval.report.model import ABSTENTION, FAITHFULNESS, KNOWLEDGE, READING, UNTAUGHT
from medctx_eval.stats import holm
from medctx_eval.stats.clusters import BoolArray

Pair = tuple[str, str]


def _families(masks: dict[str, BoolArray]) -> dict[Family, list[str]]:
    """Which parts each family compares on."""
    headline = [part for part in (KNOWLEDGE, READING) if part in masks]
    conditions = [part for part in masks if part not in parts.AXES]
    return {
        "headline": headline,
        "pairs": headline,
        "untaught": [part for part in masks if part == UNTAUGHT],
        "axes": [part for part in (ABSTENTION, FAITHFULNESS) if part in masks],
        "conditions": [part for part in conditions if parts.is_condition(part)],
        "grid": [part for part in conditions if parts.in_grid(part)],
    }


def _adjusted(family: Sequence[Comparison]) -> Iterator[Comparison]:
    whole = holm([one.difference.p for one in family])
    mcnemar = holm([one.difference.p_mcnemar for one in family])
    for one, p_holm, p_mcnemar in zip(family, whole, mcnemar, strict=True):
        yield one.model_copy(update={"p_holm": p_holm, "p_mcnemar_holm": p_mcnemar})


def _comparison(sheet: Sheet, family: Family, part: str, pair: Pair, found: Difference) -> Comparison:
    return Comparison(
        cell=pair[0],
        other=pair[1],
        part=part,
        mode=sheet.mode,
        family=family,
        difference=found,
        word=found.word,
        dropped=int(sheet.masks[part].sum()) - found.n,
        p_holm=found.p,
        p_mcnemar_holm=found.p_mcnemar,
    )


def _found(sheet: Sheet, part: str, pairs: Sequence[Pair], config: ReportConfig) -> dict[Pair, Difference]:
    """The pairs of a part; none where no item fits."""
    kept = sheet.masks[part] & sheet.aligned.fits
    if not kept.any():
        return {}
    return dict(zip(pairs, sheet.differences(kept, pairs, config), strict=True))


def pairs_of(cells: Sequence[Cell], judged: Collection[str]) -> tuple[list[Pair], list[Pair]]:
    """Every tuned cell with its base, and all cells of one base with one another, the later one first; those that were
    ``judged`` alone.
    """
    to_base, every = [], []
    kept = [cell for cell in cells if cell.name in judged]
    for place, cell in enumerate(kept):
        if not cell.base and cell.recipe.base in judged:
            to_base.append((cell.name, cell.recipe.base))
        own = cell.recipe.base or cell.name
        every += [(cell.name, other.name) for other in kept[:place] if own in (other.name, other.recipe.base)]
    return to_base, every


def comparisons(
    sheet: Sheet, cells: Sequence[Cell], config: ReportConfig, *, all_families: bool
) -> Iterator[Comparison]:
    """Every family of the headline mode, the headline alone of others; none where no base was judged."""
    to_base, every = pairs_of(cells, sheet.cells)
    if not to_base:
        return
    known: dict[str, dict[Pair, Difference]] = {}
    for family, wanted in _families(sheet.masks).items():
        if family != "headline" and not all_families:
            continue
        for part in wanted:
            if part not in known:
                asked = every if part in (KNOWLEDGE, READING) else to_base
                known[part] = _found(sheet, part, asked, config)
        pairs = every if family == "pairs" else to_base
        yield from _adjusted(
            [
                _comparison(sheet, family, part, pair, known[part][pair])
                for part in wanted
                for pair in pairs
                if pair in known[part]
            ]
        )
