"""Exams by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from medctx import curriculum
from medctx.curriculum import CurriculumConfig
from medctx.errors import MedctxError
from medctx_eval.config import ExamConfig
from medctx_eval.exams import files, hpo
from medctx_eval.exams.exam import Exam

Builder = Callable[[ExamConfig, CurriculumConfig, int], Exam]


def _hpo_knowledge(config: ExamConfig, split: CurriculumConfig, seed: int) -> Exam:
    return hpo.knowledge(curriculum.build(split), seed)


def _hpo_reading(config: ExamConfig, split: CurriculumConfig, seed: int) -> Exam:
    return hpo.reading(curriculum.build(split), seed)


def _files(config: ExamConfig, split: CurriculumConfig, seed: int) -> Exam:
    return files.build(config)


BUILDERS: dict[str, Builder] = {
    "hpo-knowledge": _hpo_knowledge,
    "hpo-reading": _hpo_reading,
    **dict.fromkeys(files.CARDS, _files),
}


def build(config: ExamConfig, split: CurriculumConfig, seed: int) -> Exam:
    """The exam a config names, its first ``limit`` items where it says so."""
    builder = BUILDERS.get(config.exam)
    if builder is None:
        close = difflib.get_close_matches(config.exam, BUILDERS, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise MedctxError(f"There is no exam {config.exam!r}{hint}; known are: {', '.join(sorted(BUILDERS))}.")
    exam = builder(config, split, seed)
    if config.limit is not None:
        exam = exam.model_copy(update={"items": exam.items[: config.limit]})
    for item in exam.items:
        if len(item.gold) > 1:
            raise MedctxError(
                f"Item {item.id!r} of {exam.card.name} has several right options, which likelihood modes cannot "
                "answer; leave such items out."
            )
    return exam
