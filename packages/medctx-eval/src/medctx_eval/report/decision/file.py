"""The gate's decision and a card per cell, as the file a registry reads."""

from __future__ import annotations

from pathlib import Path

from medctx.io.jsonl import write_record
from medctx.schemas.records import Record
from medctx_eval.report.decision.gate import Decision, decide, unreadable_share
from medctx_eval.report.model import KNOWLEDGE, READING, Report
from medctx_eval.stats.words import difference_interval, percent, points

FILE = "decision.json"


class Card(Record):
    """A cell in words and numbers; metrics are accuracies in [0, 1] and differences to base with their bounds."""

    cell: str
    summary: str
    metrics: dict[str, float]


class DecisionFile(Decision):
    """A decision with the cards of every tuned cell."""

    cards: tuple[Card, ...] = ()


def card(report: Report, cell: str) -> Card:
    """Knowledge and reading of a cell, its differences to base with 95 % intervals, and what else the gate looks at:
    shares of unreadable answers and (where there is a ledger) of contaminated items, and accuracy on the clean ones.
    """
    metrics: dict[str, float] = {}
    sentences = []
    for part in (KNOWLEDGE, READING):
        score, gain = report.score(cell, part), report.gain(cell, part)
        if score is None or gain is None:
            continue
        found = gain.difference
        metrics[f"{part}.accuracy"] = score.accuracy.value
        metrics[f"{part}.gain"] = found.value
        metrics[f"{part}.gain.low"] = found.low
        metrics[f"{part}.gain.high"] = found.high
        sentences.append(
            f"{part.capitalize()} {percent(score.accuracy.value)} % of {score.accuracy.n} items, "
            f"{points(found.value)} points to {report.base_of(cell)} (95 % interval {difference_interval(found)})."
        )
    if metrics:
        metrics["unreadable"] = unreadable_share(report, cell)
    if report.contamination:
        metrics["contaminated"] = report.contamination.share
        cleaned = {one.part: one.clean for one in report.clean if one.cell == cell and one.clean}
        metrics |= {f"{part}.accuracy.clean": found.value for part, found in cleaned.items()}
    return Card(cell=cell, summary=" ".join(sentences), metrics=metrics)


def write(report: Report, folder: Path) -> DecisionFile:
    """Decide and write ``decision.json`` beside the report."""
    decision = decide(report, report.margin)
    cards = tuple(card(report, cell.name) for cell in report.tuned)
    written = DecisionFile(**decision.model_dump(), cards=cards)
    write_record(folder / FILE, written)
    return written
