"""The gate's decision and a card per cell, as the file a registry reads."""

from __future__ import annotations

from pathlib import Path

from medctx.io.jsonl import write_record
from medctx.schemas.decision import DECISION_FILE, Card, Decision
from medctx_eval.report.decision.gate import decide, unreadable_share
from medctx_eval.report.model import KNOWLEDGE, READING, Report
from medctx_eval.stats.words import difference_interval, percent, points


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


def write(report: Report, folder: Path) -> Decision:
    """Decide and write ``decision.json`` beside the report."""
    decision = decide(report, report.margin)
    cards = tuple(card(report, cell.name) for cell in report.tuned)
    written = decision.model_copy(update={"cards": cards})
    write_record(folder / DECISION_FILE, written)
    return written
