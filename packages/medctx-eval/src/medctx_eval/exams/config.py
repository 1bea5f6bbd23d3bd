"""The config of one exam."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from medctx.config.loading import Config
from medctx.config.names import OptionalName
from medctx.tables.opening import SUFFIXES, stem_of, suffix_of
from medctx_eval.exams.condition import even_depths, expand_ranges, parse
from medctx_eval.exams.generated.needle import NeedleConfig
from medctx_eval.exams.generated.phenotype_facts import FactsConfig
from medctx_eval.exams.generated.records import RecordsConfig

FileKey = Literal["items", "passages", "path"]
"""Keys of an exam that name a file or folder."""


class ExamConfig(Config):
    """One exam and the Conditions its items are asked under."""

    exam: str = Field(
        description="Name of the exam (`medctx-eval exams list` prints them), or the path of a file of your own "
        "questions."
    )
    name: OptionalName = Field("", description="Name of your own exam in results; empty: that of its file.")
    conditions: tuple[str, ...] = Field(
        ("closed",),
        description="What stands before a question: closed, gold, open:<tokens>[:<depth>], distractor[:<tokens>] or "
        "counterfactual[:<tokens>[:<depth>]]; <tokens> may be a range such as 512-131072 (every doubling).",
    )
    depths: tuple[float, ...] = Field(
        (0.1, 0.5, 0.9),
        description="Depths in [0, 1] assigned in turn under conditions that name none, or their number (evenly "
        "spaced).",
    )
    limits: dict[str, int] = Field(default_factory=dict, description="Most items of a condition, by its name.")
    items: Path | None = Field(None, description="File of questions, the same as path.")
    passages: Path | None = Field(None, description="File of the passages that the questions name by book_id.")
    path: Path | None = Field(None, description="File of your own questions, or the published exam's file or folder.")
    digests: dict[FileKey, str] = Field(
        default_factory=dict,
        description="SHA-256 of the files of the keys items, passages and path: a file that is not at its path is "
        "looked for in the current folder, and one with another digest is refused.",
    )
    revision: str = Field("", description="Revision of the published files to download; empty: the pinned one.")
    limit: int | None = Field(None, ge=1, description="Most items of the exam.")
    half: Literal["all", "selection", "confirmation"] = Field(
        "all", description="Only the clusters that select cells, or only those that measure the selected again."
    )
    evidence: Literal["whole", "paragraph"] = Field(
        "whole",
        description="The whole passage that a question names, or the paragraph of it that supports the right option, "
        "found by overlap; questions without such a paragraph are asked closed only.",
    )
    offer_cannot: bool = Field(
        False,
        description="Add the option that the question cannot be answered to every item without one; under distractor "
        "it is always added.",
    )
    needle: NeedleConfig = Field(NeedleConfig(), description="Sizes of the generated exam `needle`.")
    records: RecordsConfig = Field(RecordsConfig(), description="Sizes of the generated exam `records-reading`.")
    facts: FactsConfig = Field(FactsConfig(), description="Form of the generated exam `phenotypes-facts`.")

    @model_validator(mode="before")
    @classmethod
    def _plain_path(cls, value: object) -> object:
        if isinstance(value, str):
            value = {"exam": value}
        if isinstance(value, Mapping):
            value = dict(value)
            exam, path = value.get("exam"), value.get("path") or value.get("items")
            if isinstance(exam, str) and is_path(exam) and not path:
                value |= {"exam": OWN, "path": exam}
            elif exam is None and path:
                value["exam"] = OWN
        return value

    @field_validator("conditions")
    @classmethod
    def _expand_ranges(cls, conditions: tuple[str, ...]) -> tuple[str, ...]:
        expanded = expand_ranges(conditions)
        for condition in expanded:
            parse(condition)
        return expanded

    @model_validator(mode="after")
    def _names_own_exams(self) -> Self:
        if self.name and self.exam != OWN:
            raise ValueError(f"the exam {self.exam!r} has a name of its own; give name only with a file of your own")
        return self

    @field_validator("depths", mode="before")
    @classmethod
    def _spread_evenly(cls, depths: object) -> object:
        return even_depths(depths) if isinstance(depths, int) and depths > 0 else depths


OWN = "file"
"""Name of the exam that stands for a user's own file."""


def is_path(text: str) -> bool:
    """Whether a text is written as the path of a file and not as the name of an exam."""
    return "/" in text or "\\" in text or suffix_of(Path(text)) in SUFFIXES


def _require_different(exams: Sequence[ExamConfig], named_by_medctx: Container[str]) -> None:
    files: dict[str, Path | None] = {}
    for exam in exams:
        file = exam.items or exam.path
        if exam.name and (exam.name in named_by_medctx or files.setdefault(exam.name, file) != file):
            raise ValueError(f"the name {exam.name!r} of {file} is that of another exam; give another name")


def with_names(exams: Sequence[ExamConfig]) -> tuple[ExamConfig, ...]:
    """Return exams whose own files have different names: that of the file, with its folder's or a number if need be.

    Raises:
        ValueError: A stated name is that of another exam.
    """
    files = [exam.items or exam.path for exam in exams]
    named_by_medctx = {exam.exam for exam in exams if exam.exam != OWN}
    _require_different(exams, named_by_medctx)
    stems = {file: stem_of(file) for file in files if file}
    names: dict[tuple[Path, Path | None], str] = {}
    named = []
    for exam, file in zip(exams, files, strict=True):
        if exam.exam != OWN or file is None or exam.name:
            named.append(exam)
            continue
        key = (file, exam.passages)
        if key not in names:
            repeated = list(stems.values()).count(stems[file]) > 1
            folder = file.resolve().parent.name
            stem = re.sub(r"[^\w.-]+", "-", f"{folder}-{stems[file]}" if repeated else stems[file]).strip("-.")
            taken = {*names.values(), *(other.name for other in exams), *named_by_medctx}
            candidates = [stem or OWN, *(f"{stem or OWN}-{number}" for number in range(2, len(exams) + 2))]
            names[key] = next(name for name in candidates if name not in taken)
        named.append(exam.model_copy(update={"name": names[key]}))
    return tuple(named)
