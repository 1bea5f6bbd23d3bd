"""The records that cross package boundaries: frozen, strict, one noun each."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Domain = Literal["general", "medical"]
Role = Literal["system", "user", "assistant"]
Axis = Literal["knowledge", "reading"]


class Record(BaseModel):
    """Base of every record: immutable, unknown fields refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(Record):
    """One message of a Dialogue."""

    role: Role
    content: str


class Dialogue(Record):
    """One training example.

    ``facts`` names the facts the Dialogue teaches or shows (a disease id, a document id); training
    and exam data are held apart by comparing these names.
    """

    id: str
    domain: Domain
    source: str
    turns: tuple[Turn, ...] = Field(min_length=2)
    language: str = "en"
    licence: str = ""
    facts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _ends_with_an_answer(self) -> Self:
        if self.turns[-1].role != "assistant":
            raise ValueError(f"the last turn of Dialogue {self.id!r} is {self.turns[-1].role!r}, not 'assistant'")
        return self


class Passage(Record):
    """A piece of text that may hold evidence. ``facts`` as in Dialogue."""

    id: str
    text: str = Field(min_length=1)
    title: str = ""
    facts: tuple[str, ...] = ()


def _sorted_letters(letters: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(letters)))


class ExamItem(Record):
    """A question with options and gold letters.

    ``evidence`` names the Passages that hold the answer, ``rivals`` those that come first among the
    distractors of its Books, ``cluster`` the document or fact whose items share their fate in the
    statistics, ``tags`` what reports group by. ``gold`` is a sorted tuple of letters: never an index,
    never a default.
    """

    id: str
    exam: str
    question: str = Field(min_length=1)
    options: dict[str, str] = Field(min_length=2)
    gold: Annotated[tuple[str, ...], AfterValidator(_sorted_letters)] = Field(min_length=1)
    evidence: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    cluster: str
    language: str = "en"
    source: str = ""
    licence: str = ""
    generated: bool = False
    tags: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _gold_is_offered(self) -> Self:
        missing = [letter for letter in self.gold if letter not in self.options]
        if missing:
            raise ValueError(f"gold {missing[0]!r} of item {self.id!r} is none of its options {sorted(self.options)}")
        return self


class Book(Record):
    """What is put before the question: the ids of its Passages in order and their text.

    ``tokens`` is the length of ``text`` under the examined model's own tokenizer; the empty Book has none.
    """

    id: str
    text: str
    passages: tuple[str, ...] = ()
    tokens: int = Field(ge=0)


class Verdict(StrEnum):
    """The one outcome of an item under a Condition; the seven add up to N."""

    CORRECT = "correct"
    WRONG = "wrong"
    ABSTAINED = "abstained"
    UNPARSABLE = "unparsable"
    TRUNCATED = "truncated"
    DOES_NOT_FIT = "does_not_fit"
    FAILED = "failed"


Mode = Literal["text", "letter"]


class OptionScore(Record):
    """How a model scored one option.

    ``logprob`` is the natural-log likelihood of the option's text after the question (summed over
    its ``tokens`` tokens); ``letter_logprob`` that of its letter as the first answer token.
    """

    letter: str
    logprob: float
    tokens: int = Field(ge=1)
    letter_logprob: float


class Reply(Record):
    """What the model gave for one item under one Condition: scores, or the reason there are none."""

    key: str
    item: str
    condition: str
    book: str
    scores: tuple[OptionScore, ...] = ()
    problem: Literal["", "does_not_fit", "failed"] = ""
    detail: str = ""


class Judged(Record):
    """One Reply turned into exactly one Verdict, with what the statistics need beside it."""

    item: str
    exam: str
    condition: str
    axis: Axis
    cluster: str
    mode: Mode
    verdict: Verdict
    chosen: tuple[str, ...] = ()
    gold: tuple[str, ...]
    tags: dict[str, str] = Field(default_factory=dict)
