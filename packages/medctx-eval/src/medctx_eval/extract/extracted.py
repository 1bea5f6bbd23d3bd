"""What was read from an answer."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from medctx.schemas.records import Record

Rule = Literal[
    "stated",
    "leading letter",
    "asserted",
    "option text",
    "refusal",
    "several",
    "conflict",
    "not offered",
    "retracted",
    "echo",
    "unfinished reasoning",
    "empty",
    "nothing stated",
]
"""Which rule decided.

Answered: the answer is ``stated`` ("The answer is B"), a ``leading letter`` opens the text, an option is ``asserted``
("B is correct"), or an ``option text`` is repeated. Abstained: a ``refusal``. Unparsable: ``several`` options where one
is asked for, or a choice between them; a letter in ``conflict`` with the text beside it; a letter ``not offered``; an
answer ``retracted`` and not replaced; an ``echo`` of the options; ``unfinished reasoning``; ``empty``;
``nothing stated``.
"""


class Extracted(Record):
    """The reading of one answer: ``letters`` as shown, sorted, and empty unless it ``answered``."""

    letters: tuple[str, ...] = ()
    outcome: Literal["answered", "abstained", "unparsable"]
    rule: Rule

    @model_validator(mode="after")
    def _only_answers_have_letters(self) -> Self:
        if bool(self.letters) != (self.outcome == "answered"):
            raise ValueError(f"the outcome {self.outcome!r} does not go with the letters {self.letters}")
        return self
