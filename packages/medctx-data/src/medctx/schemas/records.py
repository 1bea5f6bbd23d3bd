"""The records that cross package boundaries: frozen, strict, one noun each."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Domain = Literal["general", "medical"]
Role = Literal["system", "user", "assistant"]
Axis = Literal["knowledge", "reading", "abstention", "faithfulness"]
"""What an item measures: without a Book knowledge, with its evidence reading; with the evidence removed whether the
model abstains, with the evidence altered whether it is faithful to the page."""


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
    never a default. ``multiple``: several options may be right, and the question is answered by a set of letters.
    ``cannot`` is the letter of the option that says the question cannot be answered ("" where none does).
    """

    id: str
    exam: str
    question: str = Field(min_length=1)
    options: dict[str, str] = Field(min_length=2)
    gold: Annotated[tuple[str, ...], AfterValidator(_sorted_letters)] = Field(min_length=1)
    evidence: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    cluster: str
    multiple: bool = False
    cannot: str = ""
    language: str = "en"
    source: str = ""
    licence: str = ""
    generated: bool = False
    tags: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _letters_are_offered(self) -> Self:
        offered = sorted(self.options)
        missing = [letter for letter in self.gold if letter not in self.options]
        if missing:
            raise ValueError(f"gold {missing[0]!r} of item {self.id!r} is none of its options {offered}")
        if len(self.gold) > 1 and not self.multiple:
            raise ValueError(f"item {self.id!r} has the golds {', '.join(self.gold)} but is not marked multiple")
        if self.cannot and self.cannot not in self.options:
            raise ValueError(f"cannot {self.cannot!r} of item {self.id!r} is none of its options {offered}")
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


Form = Literal["text", "prior", "letter", "generate", "choice"]
"""How an item is put to a model: its options' texts as continuations of the question; the same without the question;
its options listed and their letters as continuations; listed and answered freely; listed and held to a letter."""

Mode = Literal["text", "text-raw", "text-prior", "letter", "generate", "choice"]
"""How a Reply is scored. ``text``: log-likelihood of the option's text per token; ``text-raw``: its sum;
``text-prior``: its sum less that under the prior prompt; the others by the form of their name."""


class AnswerScore(Record):
    """How a model scored one possible answer, a set of letters: the natural-log likelihood summed over ``tokens``."""

    letters: tuple[str, ...]
    logprob: float
    tokens: int = Field(ge=1)


class Reply(Record):
    """What the model gave for one item in one form under one Condition and order of options, or why nothing.

    ``letters`` in ``scores`` are the item's own, whatever was shown; ``text`` is the answer written, in which letters
    are those shown; ``cut`` whether it was ended by the length allowed. ``order``: how far the options were turned.
    """

    key: str
    item: str
    condition: str
    book: str
    form: Form
    order: int = Field(0, ge=0)
    scores: tuple[AnswerScore, ...] = ()
    text: str = ""
    cut: bool = False
    problem: Literal["", "unparsable", "does_not_fit", "failed"] = ""
    detail: str = ""


class Judged(Record):
    """One Reply turned into exactly one Verdict, with what the statistics need beside it.

    ``memory`` holds, where the evidence was altered, the letters that were right before.
    """

    item: str
    exam: str
    condition: str
    axis: Axis
    cluster: str
    mode: Mode
    order: int = Field(0, ge=0)
    verdict: Verdict
    chosen: tuple[str, ...] = ()
    gold: tuple[str, ...]
    memory: tuple[str, ...] = ()
    book: str = ""
    detail: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
