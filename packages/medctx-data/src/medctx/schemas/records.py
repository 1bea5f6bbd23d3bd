"""The records that cross package boundaries: frozen, and strict about unknown fields."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Domain = Literal["general", "medical"]
Role = Literal["system", "user", "assistant"]
Axis = Literal["knowledge", "reading", "abstention", "faithfulness"]
"""What an item measures: knowledge without a Book, reading with its evidence, abstention with the evidence removed,
faithfulness to the page with the evidence altered."""


class Record(BaseModel):
    """Base of every record: immutable, unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Turn(Record):
    """One message of a Dialogue.

    Attributes:
        role: Who speaks: system, user or assistant.
        content: The text.
    """

    role: Role
    content: str


class Dialogue(Record):
    """One training example.

    Attributes:
        id: Unique name.
        domain: general or medical.
        source: Label of its source.
        turns: Its messages; the last one is an answer.
        language: Language code.
        licence: Its licence, ``""`` if none is stated.
        without_loss: Numbers of the answers that are not trained on, from 0 among all turns.
        facts: Names of the facts it teaches or shows (a disease id, a document id); training and exam data are kept
            apart by comparing these names.
    """

    id: str
    domain: Domain
    source: str
    turns: tuple[Turn, ...] = Field(min_length=2)
    language: str = "en"
    licence: str = ""
    facts: tuple[str, ...] = ()
    without_loss: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _ends_with_an_answer(self) -> Self:
        if self.turns[-1].role != "assistant":
            raise ValueError(f"the last turn of Dialogue {self.id!r} is {self.turns[-1].role!r}, not 'assistant'")
        answers = {number for number, turn in enumerate(self.turns) if turn.role == "assistant"}
        if not answers > set(self.without_loss):
            raise ValueError(f"without_loss of Dialogue {self.id!r} names turns that are no answers, or all answers")
        return self


class Passage(Record):
    """A piece of text that may hold evidence.

    Attributes:
        id: Name, unique within its exam.
        text: The text.
        title: Its title, ``""`` if it has none.
        facts: Names of the facts it states, as in Dialogue.
    """

    id: str
    text: str = Field(min_length=1)
    title: str = ""
    facts: tuple[str, ...] = ()


def _sorted_letters(letters: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(letters)))


class ExamItem(Record):
    """A question with options and gold letters.

    Attributes:
        id: Name, unique within its exam.
        exam: Name of the exam.
        question: The question.
        options: Texts by letter.
        gold: Right letters, sorted; never an index and never a default.
        evidence: Ids of the Passages that hold the answer.
        companions: Ids of Passages that occur in every Book beside the evidence, ``gold`` included: what else could be
            taken for the answer.
        rivals: Ids of the Passages that come first among the distractors of its Books.
        cluster: Document or fact by which items are clustered in the statistics.
        multiple: Whether several options may be right, so that a set of letters answers the question.
        cannot: Letter of the option that says the question cannot be answered, ``""`` where there is none.
        language: Language code.
        source: Where it comes from.
        licence: Its licence.
        generated: Whether a program made it.
        tags: Values by which reports group items.
    """

    id: str
    exam: str
    question: str = Field(min_length=1)
    options: dict[str, str] = Field(min_length=2)
    gold: Annotated[tuple[str, ...], AfterValidator(_sorted_letters)] = Field(min_length=1)
    evidence: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
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

    @property
    def shown(self) -> tuple[str, ...]:
        """Ids of the Passages of every Book that holds its evidence: in the same order for companions of each other."""
        return tuple(sorted((*self.evidence, *self.companions))) if self.companions else self.evidence


class Book(Record):
    """The text before a question, made of Passages.

    Attributes:
        id: Name, unique within a run.
        text: The text.
        passages: Ids of its Passages, in their order.
        tokens: Length in tokens of the examined model's tokenizer.
    """

    id: str
    text: str
    passages: tuple[str, ...] = ()
    tokens: int = Field(ge=0)


class Verdict(StrEnum):
    """The one outcome of an item under a Condition; the seven counts add up to N."""

    CORRECT = "correct"
    WRONG = "wrong"
    ABSTAINED = "abstained"
    UNPARSABLE = "unparsable"
    TRUNCATED = "truncated"
    DOES_NOT_FIT = "does_not_fit"
    FAILED = "failed"


Form = Literal["text", "prior", "letter", "generate", "choice"]
"""How an item is presented to a model: option texts as continuations of the question (text) or without it (prior);
options listed, with their letters as continuations (letter), a free answer (generate) or a constrained one (choice)."""

Mode = Literal["text", "text-raw", "text-prior", "letter", "generate", "choice"]
"""How a Reply is scored. ``text``: mean log-likelihood of the option text per token; ``text-raw``: its sum;
``text-prior``: its sum minus that under the prior prompt; the others by the form of the same name."""


class AnswerScore(Record):
    """Score of one possible answer.

    Attributes:
        letters: The answer, a set of letters.
        logprob: Natural logarithm of its likelihood, summed over its tokens.
        tokens: Number of these tokens.
    """

    letters: tuple[str, ...]
    logprob: float
    tokens: int = Field(ge=1)


class Reply(Record):
    """A model's reply to one item in one form under one Condition and option order, or the reason for having none.

    Attributes:
        key: Unique key of the request.
        item: Id of the item.
        condition: The Condition.
        book: Id of the Book.
        form: How the item was presented.
        order: By how many places the options were rotated.
        scores: Scores of the possible answers, by the item's own letters whatever was shown.
        text: The generated answer, in which letters are those shown.
        cut: Whether the answer ended at the allowed length.
        problem: Why there is no usable reply, ``""`` if there is one.
        detail: Details of the problem.
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
    """The Verdict on one Reply, with what the statistics need.

    Attributes:
        item: Id of the item.
        exam: Name of the exam.
        condition: The Condition.
        axis: What the item measures under this Condition.
        cluster: Document or fact by which items are clustered.
        mode: How the Reply was scored.
        order: By how many places the options were rotated.
        verdict: The outcome.
        chosen: Letters of the answer.
        gold: Right letters under this Condition.
        memory: Right letters before the evidence was altered; empty where it was not.
        book: Id of the Book.
        detail: Details of an answer that cannot be used.
        tags: Values by which reports group items.
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
