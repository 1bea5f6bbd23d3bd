"""A report: its files against their checksums, its runs, and every number against a recomputation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io.jsonl import read_record
from medctx.schemas.decision import DECISION_FILE, Decision
from medctx.schemas.report import REPORT_FILE
from medctx_eval.artifacts.checksums import check_checksums
from medctx_eval.report.build import MARKDOWN, decided
from medctx_eval.report.compute import compute
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.collect import collect
from medctx_eval.report.load.exam_contents import book_outlines, items_of
from medctx_eval.report.model import Report
from medctx_eval.verify.run import verify_run

TOLERANCE = 1e-6
"""Largest difference of a recomputed number: another processor may round otherwise in the last digits."""


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
    config = ReportConfig.model_validate(content or {})
    missing = next((path for path in (*config.contamination, *config.training.values()) if not path.exists()), None)
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
    files = check_checksums(folder, (REPORT_FILE, DECISION_FILE, MARKDOWN))
    report = read_record(folder / REPORT_FILE, Report)
    decision = read_record(folder / DECISION_FILE, Decision)
    config = _config(folder, report)
    run_folders = [folder / place for place in report.run_folders]
    missing = next((path for path in run_folders if not path.is_dir()), None)
    if missing is not None or not run_folders:
        raise MedctxError(f"The run folder {missing or '(none is named)'} of {folder / REPORT_FILE} was not found.")
    checks = [verify_run(path) for path in run_folders]
    run_set = collect(run_folders)
    computed = compute(run_set, config, items_of(run_set), book_outlines(run_set.runs[0]))
    final, recomputed = decided(computed, config, report.configs, report.run_folders)
    stored = report.model_dump(mode="json")
    _compare(folder / REPORT_FILE, stored, final.model_dump(mode="json"))
    _compare(folder / DECISION_FILE, decision.model_dump(mode="json"), recomputed.model_dump(mode="json"))
    return ReportCheck(
        files=files + sum(check.files for check in checks),
        runs=len(checks),
        verdicts=sum(check.verdicts for check in checks),
        numbers=count_numbers(stored),
    )
