"""Recomputes run folders and reports: files against checksums, verdicts against replies, a report against its runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io.jsonl import read_record, read_records
from medctx.schemas.decision import DECISION_FILE, Decision
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.records import ExamItem, Form, Judged, Reply, Verdict
from medctx.schemas.report import MARKDOWN_FILE, REPORT_FILE
from medctx_eval.artifacts import run_folder
from medctx_eval.artifacts.checksums import check_checksums
from medctx_eval.exams.condition import parse
from medctx_eval.exams.counterfactual import without_evidence
from medctx_eval.prompting.prompt import FORMS
from medctx_eval.report.compute import compute, decided
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.collect import collect
from medctx_eval.report.load.exam_contents import read_contents
from medctx_eval.report.model import Report
from medctx_eval.run.score import read_answer, verdict

ReplyKey = tuple[str, str, Form, int]
"""Item, condition, form and option order."""
PriorKey = tuple[object, ...]
"""What a prior depends on: language and texts of the options, and the answers that were scored."""
PRIOR: Form = "prior"
TOLERANCE = 1e-6
"""Largest difference of a recomputed number: another processor may round otherwise in the last digits."""


@dataclass(frozen=True)
class RunCheck:
    """What was checked of a run: number of files and of verdicts recomputed from replies."""

    files: int
    verdicts: int


def _prior_key(item: ExamItem, scored: Reply) -> PriorKey:
    """Items with the same options share a prior, which is asked once."""
    return (item.language, *item.options.items(), *(score.letters for score in scored.scores))


class _Journal:
    """The last reply to each question, and each prior; a failed one only if there is no other."""

    def __init__(self, folder: Path, items: Mapping[str, ExamItem]) -> None:
        self.replies: dict[ReplyKey, Reply] = {}
        self._priors: dict[PriorKey, Reply] = {}
        for reply in read_records(folder / run_folder.REPLIES, Reply):
            if reply.form == PRIOR:
                if reply.item in items:
                    self._priors[_prior_key(items[reply.item], reply)] = reply
                continue
            key = (reply.item, reply.condition, reply.form, reply.order)
            if reply.problem != "failed" or key not in self.replies:
                self.replies[key] = reply

    def prior(self, item: ExamItem, reply: Reply) -> Reply | None:
        """The prior of the answers that a reply scores, or the one that could not be asked."""
        unasked = reply.model_copy(update={"scores": ()})
        return self._priors.get(_prior_key(item, reply)) or self._priors.get(_prior_key(item, unasked))


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


def _contradiction(judged: Judged, items: Mapping[str, ExamItem], journal: _Journal) -> str:
    """Why a verdict does not follow from the reply; empty if it does."""
    if judged.item not in items:
        return "its item is not in the exam plan"
    form = FORMS[judged.mode][0]
    reply = journal.replies.get((judged.item, judged.condition, form, judged.order))
    if reply is None:
        return "" if judged.verdict is Verdict.DOES_NOT_FIT else "the journal has no reply to it"
    needs_prior = PRIOR in FORMS[judged.mode] and not reply.problem
    prior = journal.prior(items[judged.item], reply) if needs_prior else None
    if needs_prior and prior is None:
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
    journal = _Journal(folder, items)
    count = 0
    for record in judged:
        count += 1
        problem = _contradiction(record, items, journal)
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
    return RunCheck(_check_run_files(folder), _recomputed(folder))


def _check_run_files(folder: Path) -> int:
    return check_checksums(folder, (EXAM_FILE, run_folder.VERDICTS, run_folder.REPLIES))


def _recomputed(folder: Path) -> int:
    run = run_folder.read_run(folder)
    if len(run.judged) != run.manifest.n:
        raise MedctxError(f"{folder} holds {len(run.judged):,} verdicts, its manifest states {run.manifest.n:,}.")
    items = run_folder.read_items(folder, run.manifest)
    return recompute_verdicts(folder, run.judged, items)


@dataclass(frozen=True)
class ReportCheck:
    """What was checked of a report: number of files, runs, verdicts and recomputed numbers."""

    files: int
    runs: int
    verdicts: int
    numbers: int


def first_difference(stored: object, computed: object, path: str = "") -> str:
    """Path and values of the first difference between two JSON values; empty if there is none."""
    if isinstance(stored, dict) and isinstance(computed, dict):
        for key in [*stored, *(key for key in computed if key not in stored)]:
            if key not in stored or key not in computed:
                return f"{path}.{key}: only in {'the file' if key in stored else 'the recomputation'}"
            if difference := first_difference(stored[key], computed[key], f"{path}.{key}"):
                return difference
        return ""
    if isinstance(stored, list) and isinstance(computed, list):
        if len(stored) != len(computed):
            return f"{path}: {len(stored)} entries, recomputed {len(computed)}"
        pairs = enumerate(zip(stored, computed, strict=True))
        return next((text for place, pair in pairs if (text := first_difference(*pair, f"{path}[{place}]"))), "")
    numbers = isinstance(stored, int | float) and isinstance(computed, int | float)
    if numbers and math.isclose(float(stored), float(computed), rel_tol=0, abs_tol=TOLERANCE):  # type: ignore[arg-type]
        return ""
    return "" if stored == computed else f"{path}: {stored!r}, recomputed {computed!r}"


def count_numbers(value: object) -> int:
    """Number of numbers in a JSON value."""
    if isinstance(value, dict):
        return sum(map(count_numbers, value.values()))
    if isinstance(value, list):
        return sum(map(count_numbers, value))
    return int(isinstance(value, int | float) and not isinstance(value, bool))


def _compare(file: Path, stored: object, computed: object) -> None:
    difference = first_difference(stored, computed)
    if difference:
        raise MedctxError(f"{file} does not follow from its runs: {difference.removeprefix('.')}.")


def _config(folder: Path, report: Report) -> ReportConfig:
    content = configs.parse_yaml(report.configs.get("report", ""), f"the config of {folder / REPORT_FILE}")
    try:
        config = ReportConfig.model_validate(content or {})
    except ValidationError as error:
        raise configs.explain(error, ReportConfig, f"the config of {folder / REPORT_FILE}") from None
    needed = (*config.contamination, *config.training.values(), *config.confirmation)
    missing = next((path for path in (*needed, *([config.plan] if config.plan else [])) if not path.exists()), None)
    if missing is not None:
        raise MedctxError(
            f"{missing}, from which {folder / REPORT_FILE} was computed, was not found; run verify in the folder where "
            "the report was made."
        )
    return config


def verify_report(folder: Path) -> ReportCheck:
    """Verify a report and the runs it was computed from.

    Raises:
        MedctxError: Naming the first thing that does not hold.
    """
    files = check_checksums(folder, (REPORT_FILE, DECISION_FILE, MARKDOWN_FILE))
    report = read_record(folder / REPORT_FILE, Report)
    decision = read_record(folder / DECISION_FILE, Decision)
    config = _config(folder, report)
    run_folders = [folder / place for place in report.run_folders]
    missing = next((path for path in run_folders if not path.is_dir()), None)
    if missing is not None or not run_folders:
        raise MedctxError(f"The run folder {missing or '(none is named)'} of {folder / REPORT_FILE} was not found.")
    read = (*run_folders, *config.confirmation)
    # A changed file is named before anything is computed.
    files += sum(_check_run_files(path) for path in read)
    checks = [_recomputed(path) for path in read]
    run_set = collect(run_folders)
    computed = compute(run_set, config, read_contents(run_set))
    final, recomputed = decided(computed, config, report.configs, report.run_folders)
    stored = report.model_dump(mode="json")
    _compare(folder / REPORT_FILE, stored, final.model_dump(mode="json"))
    _compare(folder / DECISION_FILE, decision.model_dump(mode="json"), recomputed.model_dump(mode="json"))
    return ReportCheck(
        files=files,
        runs=len(checks),
        verdicts=sum(checks),
        numbers=count_numbers(stored),
    )
