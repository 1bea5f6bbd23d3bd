"""A run folder: its files against their checksums, and its verdicts against the journal of replies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io.jsonl import read_records
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.records import ExamItem, Form, Judged, Reply, Verdict
from medctx_eval.artifacts import run_folder
from medctx_eval.artifacts.checksums import check_checksums
from medctx_eval.artifacts.run_folder import RunFolder
from medctx_eval.exams.condition import parse
from medctx_eval.exams.counterfactual import without_evidence
from medctx_eval.prompting.prompt import FORMS
from medctx_eval.run.score import read_answer, verdict

ReplyKey = tuple[str, str, Form, int]
"""Item, condition, form and option order."""
PRIOR = "prior"


@dataclass(frozen=True)
class RunCheck:
    """What was checked of a run: number of files and of verdicts recomputed from replies."""

    run: RunFolder
    files: int
    verdicts: int


def _replies(folder: Path) -> dict[ReplyKey, Reply]:
    """The last reply to each question; a failed one only if there is no other."""
    replies: dict[ReplyKey, Reply] = {}
    for reply in read_records(folder / run_folder.REPLIES, Reply):
        key = (reply.item, reply.condition, reply.form, reply.order)
        if reply.problem != "failed" or key not in replies:
            replies[key] = reply
    return replies


def _item_as_asked(judged: Judged, item: ExamItem) -> ExamItem:
    """The item with the gold letters of its condition.

    Raises:
        ValueError: If the record's gold letters contradict the item and the condition.
    """
    kind = parse(judged.condition).kind
    if kind == "distractor":
        item = without_evidence(item)
    elif kind == "counterfactual":
        if judged.memory != item.gold or judged.gold == item.gold:
            raise ValueError("its gold letters do not belong to altered evidence")
        item = item.model_copy(update={"gold": judged.gold})
    if judged.gold != item.gold:
        raise ValueError(f"its gold letters are {judged.gold}, those of the item {item.gold}")
    return item


def _contradiction(judged: Judged, items: Mapping[str, ExamItem], replies: Mapping[ReplyKey, Reply]) -> str:
    """Why a verdict does not follow from the reply; empty if it does."""
    if judged.item not in items:
        return "its item is not in the exam plan"
    form = FORMS[judged.mode][0]
    reply = replies.get((judged.item, judged.condition, form, judged.order))
    if reply is None:
        return "" if judged.verdict is Verdict.DOES_NOT_FIT else "the journal has no reply to it"
    prior = replies.get((judged.item, PRIOR, PRIOR, 0)) if PRIOR in FORMS[judged.mode] else None
    if prior is None and PRIOR in FORMS[judged.mode]:
        return "the journal has no prior of it"
    try:
        item = _item_as_asked(judged, items[judged.item])
        answer = read_answer(item, judged.mode, reply, prior)
    except ValueError as error:
        return str(error)
    if (verdict(item, answer), answer.letters) != (judged.verdict, judged.chosen):
        return f"its reply gives {verdict(item, answer)} {'+'.join(answer.letters)}"
    return ""


def recompute_verdicts(folder: Path, judged: Iterable[Judged], items: Mapping[str, ExamItem]) -> int:
    """Recompute every verdict of a run from its replies and items; returns how many.

    Raises:
        MedctxError: If a verdict does not follow from the journal.
    """
    replies = _replies(folder)
    count = 0
    for record in judged:
        count += 1
        problem = _contradiction(record, items, replies)
        if problem:
            raise MedctxError(
                f"{folder / run_folder.VERDICTS}: the verdict {record.verdict} {'+'.join(record.chosen)} on the item "
                f"{record.item!r} under {record.condition} (mode {record.mode}) does not follow from the journal: "
                f"{problem}."
            )
    return count


def verify_run(folder: Path) -> RunCheck:
    """Verify a run folder.

    Raises:
        MedctxError: Naming the first thing that does not hold.
    """
    files = check_checksums(folder, (EXAM_FILE, run_folder.VERDICTS, run_folder.REPLIES))
    run = run_folder.read(folder)
    if len(run.judged) != run.manifest.n:
        raise MedctxError(f"{folder} holds {len(run.judged):,} verdicts, its manifest states {run.manifest.n:,}.")
    items = run_folder.read_items(folder, run.manifest)
    return RunCheck(run, files, recompute_verdicts(folder, run.judged, items))
