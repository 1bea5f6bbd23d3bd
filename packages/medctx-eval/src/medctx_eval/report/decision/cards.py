"""A card per cell: its main results in one paragraph and in numbers, for the registry."""

from __future__ import annotations

from medctx.schemas.decision import Card
from medctx_eval.report.model import KNOWLEDGE, READING, Report
from medctx_eval.stats.formatting import difference_interval, percent, points


def unreadable_share(report: Report, cell: str) -> float:
    """Share of unparsable, truncated and failed answers of a cell over knowledge and reading, in [0, 1]."""
    scores = [score for part in (KNOWLEDGE, READING) if (score := report.score(cell, part))]
    total = sum(score.n for score in scores)
    return sum(score.unreadable for score in scores) / total if total else 0.0


def card(report: Report, cell: str) -> Card:
    """The card of a tuned cell.

    Knowledge and reading with their differences to the base, the share of unreadable answers, and with a contamination
    report the share of contaminated items and the accuracies on clean items.
    """
    metrics: dict[str, float] = {}
    sentences = []
    for part in (KNOWLEDGE, READING):
        score, gain = report.score(cell, part), report.gain(cell, part)
        if score is None or gain is None:
            continue
        difference = gain.difference
        metrics[f"{part}.accuracy"] = score.accuracy.value
        metrics[f"{part}.gain"] = difference.value
        metrics[f"{part}.gain.low"] = difference.low
        metrics[f"{part}.gain.high"] = difference.high
        sentences.append(
            f"{part.capitalize()} {percent(score.accuracy.value)} % of {score.accuracy.n} items, "
            f"{points(difference.value)} points to {gain.other} (95 % interval {difference_interval(difference)})."
        )
    if metrics:
        metrics["unreadable"] = unreadable_share(report, cell)
    if report.contamination:
        metrics["contaminated"] = report.contamination.share
        clean = {score.part: score.clean_items for score in report.clean_scores if score.cell == cell}
        metrics |= {f"{part}.accuracy.clean": accuracy.value for part, accuracy in clean.items() if accuracy}
    return Card(cell=cell, summary=" ".join(sentences), metrics=metrics)
