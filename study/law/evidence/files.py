"""The files of finished studies that a law is fitted to: their report and their config."""

from __future__ import annotations

from pathlib import Path

from medctx.config import loading as configs
from medctx.errors import MedctxError
from medctx.io.jsonl import read_record
from medctx.schemas.report import REPORT_FILE, ReportCore
from study.config.study import StudyConfig

STUDY_FILE = "study.yaml"


def report_path(path: Path) -> Path:
    """The report in a study's folder, or the file itself."""
    report = path / REPORT_FILE if path.is_dir() else path
    if not report.is_file():
        raise MedctxError(
            f"There is no report at {report}; give the folder of a finished study (work/studies/NAME), its "
            "report.json, or a .csv table."
        )
    return report


def read_report(path: Path) -> ReportCore:
    """Read ``report.json``."""
    return read_record(path, ReportCore)


def read_study(folder: Path) -> StudyConfig | None:
    """The study config in the folder of a report; None if there is none."""
    file = folder / STUDY_FILE
    return configs.load(StudyConfig, file) if file.is_file() else None
