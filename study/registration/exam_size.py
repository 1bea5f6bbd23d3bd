"""How much a study's exams ask, counted by a dry run of ``medctx-eval run``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from medctx.schemas.study_plan import StudyPlan
from study.config.sections import confirmation_exam, section
from study.config.study import Section, StudyConfig
from study.forecast.exam_cost import exam_dry_run
from study.registration.plan import ExamParts, plan_of

TOKENIZER = "bytes"
"""Which items are asked does not depend on the tokenizer, and this one is always there."""


def exam_size(exam: Section) -> ExamParts:
    """The parts and cards of an exam section."""
    with tempfile.TemporaryDirectory(prefix="medctx-") as scratch:
        result = exam_dry_run(exam, [{"name": "model"}], TOKENIZER, Path(scratch))
    return ExamParts(result.exam_parts, result.exam_cards)


def planned(config: StudyConfig) -> StudyPlan | None:
    """The plan of a study; its exams are generated and counted, nothing is trained or asked."""
    confirming = confirmation_exam(config)
    confirmed = ExamParts() if confirming is None else exam_size(confirming)
    return plan_of(config, exam_size(section(config, "exam")), confirmed)
