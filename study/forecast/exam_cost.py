"""What the exam of one model takes: counted by ``medctx-eval run --dry-run``, memory from the model's sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import JsonValue

from medctx.io.jsonl import write_text
from medctx.model.sizes import DecoderSize
from medctx.model.training_memory import PROCESS_BYTES
from medctx.schemas.records import Record
from medctx.schemas.result import CommandResult
from study.config.sections import section
from study.config.study import Section, StudyConfig
from study.forecast.model_sizes import size_of
from study.workflow.commands import call

QUESTION_TOKENS = 500
"""Room for a question, its options and its answer beside the longest Book."""
BYTES_BF16 = 2
_LENGTH = re.compile(r":(?:\d+-)?(\d+)")
"""The length of a condition; of a range, its upper end."""


class ExamCost(Record):
    """The exam of one model: ``items`` under all Conditions, ``questions`` rendered, ``tokens`` to compute.

    ``tokens``: every Book once and every question's own tokens once, as engines with a prefix cache compute them.
    """

    items: int
    questions: int
    books: int
    tokens: int


def exam_dry_run(
    exam: Section, models: Sequence[Mapping[str, JsonValue]], tokenizer: str, folder: Path
) -> CommandResult:
    """Build the exam of a study and count its questions; its config is written into ``folder``."""
    keys = {**exam, "models": [dict(model) for model in models], **({"tokenizer": tokenizer} if tokenizer else {})}
    file = folder / "exam_dry_run.yaml"
    write_text(file, yaml.safe_dump(keys, allow_unicode=True))
    return call(["medctx-eval", "run", "--dry-run", "--config", str(file)])


def exam_cost(result: CommandResult) -> ExamCost:
    """The cost that a dry run of an exam reports."""
    numbers = result.numbers
    return ExamCost(
        items=int(numbers["items"]),
        questions=int(numbers["questions"]),
        books=int(numbers["books"]),
        tokens=int(numbers["unique_tokens"]),
    )


def exam_sections(exam: Section) -> list[Section]:
    """The entries of ``exams``."""
    exams = exam.get("exams")
    return [entry for entry in exams if isinstance(entry, dict)] if isinstance(exams, list) else []


def _longest(exam: Section) -> int:
    """Tokens of the longest Book of a stated length, with room for its question."""
    lengths = [0]
    for entry in exam_sections(exam):
        conditions = entry.get("conditions")
        for condition in conditions if isinstance(conditions, list) else []:
            lengths += map(int, _LENGTH.findall(str(condition))[:1])
    return max(lengths) + QUESTION_TOKENS


def exam_memory(config: StudyConfig, label: str) -> int:
    """Memory of weights and one sequence's keys and values in bytes; 0 where the sizes are not known or elsewhere."""
    model = config.model(label)
    size = None if model.urls else size_of(model)
    if size is None:
        return 0
    cache = 2 * size.layers * size.keys * BYTES_BF16 * _longest(section(config, "exam"))
    return size.parameters * BYTES_BF16 + cache + PROCESS_BYTES


def exam_flop(size: DecoderSize, tokens: int) -> float:
    """Arithmetic of computing so many tokens: 2 FLOP per parameter."""
    return 2.0 * size.parameters * tokens
