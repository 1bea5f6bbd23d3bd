"""Runs whose verdicts follow from their replies, and a report of them: what ``medctx-eval verify`` is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from medctx.io.jsonl import write_records
from medctx.schemas.records import ExamItem, Reply
from medctx_eval.artifacts import run_folder
from medctx_eval.exams.condition import parse
from medctx_eval.exams.counterfactual import without_evidence
from medctx_eval.planning.plan import PlannedItem
from medctx_eval.report.build import write_report
from medctx_eval.report.config import ReportConfig
from medctx_eval.run.score import judge
from tests.support import synthetic_runs


def _planned(entry: synthetic_runs.PlannedItem) -> PlannedItem:
    condition = parse(entry.condition)
    item: ExamItem = entry.item
    memory: tuple[str, ...] = ()
    if condition.kind == "distractor":
        item = without_evidence(item)
    elif condition.kind == "counterfactual":
        item, memory = item.model_copy(update={"gold": entry.gold}), item.gold
    return PlannedItem(item=item, condition=condition, memory=memory)


def write(root: Path, names: Sequence[str], facts: int = 12, dossiers: int = 10) -> list[Path]:
    """One folder per name under ``root``, with replies, verdicts read from them, manifest and checksums."""
    synthetic_runs.write_paper(root, facts, dossiers)
    folders = []
    for name in names:
        replies: list[Reply] = []
        judged = []
        for mode, order, entry in synthetic_runs.planned_items(facts, dossiers):
            reply = synthetic_runs.reply(name, mode, order, entry)
            replies.append(reply)
            judged.append(judge(_planned(entry), mode, order, reply))
        folder = root / name
        write_records(folder / run_folder.REPLIES, replies)
        run_folder.write_run(folder, synthetic_runs.manifest(name, len(judged)), judged)
        folders.append(folder)
    return folders


def write_with_report(root: Path, names: Sequence[str] = ("base", "1:1-0", "0:1-0"), **size: int) -> Path:
    """The folder of a report on such runs."""
    folders = write(root / "runs", names, **size)
    write_report(folders, root / "report", ReportConfig(title="A verified study", draws=200))
    return root / "report"
