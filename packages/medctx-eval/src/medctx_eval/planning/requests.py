"""What is asked for a seat: one question per form and order of options, with the key its answer is found by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medctx.io import digest
from medctx.schemas.records import Book, Form, Mode
from medctx.text.book import EMPTY
from medctx_eval.planning.batches import Seat
from medctx_eval.planning.option_order import orders
from medctx_eval.prompting.prompt import Ask, Tokenizer, Writing, letter_ask, prior_ask, text_ask, writing

FORMS: dict[Mode, tuple[Form, ...]] = {
    "text": ("text",),
    "text-raw": ("text",),
    "text-prior": ("text", "prior"),
    "letter": ("letter",),
    "generate": ("generate",),
    "choice": ("choice",),
}
"""The forms each mode needs an item to be put in."""
ORDERED: frozenset[Mode] = frozenset({"letter", "generate", "choice"})
"""Modes that list the options, so that their order can matter."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request for an answer. ``key`` is the digest of the model's identity and of everything it is given."""

    key: str
    seat: Seat
    form: Form
    order: int
    book: Book
    asked: Ask | Writing

    @property
    def longest(self) -> int:
        """Positions it can take."""
        return self.asked.longest


def forms_of(modes: Sequence[Mode]) -> tuple[Form, ...]:
    """The forms that several modes need, each once."""
    return tuple(dict.fromkeys(form for mode in modes for form in FORMS[mode]))


def orders_of(seat: Seat, mode: Mode, wanted: int) -> list[int]:
    """The orders a seat is judged in under a mode."""
    return orders(seat.item, wanted) if mode in ORDERED else [0]


class Asker:
    """Makes the questions of one model. ``wanted`` orders are asked where the form lists the options."""

    def __init__(
        self, tokenizer: Tokenizer, identity: str, modes: Sequence[Mode], wanted: int, answer_tokens: int
    ) -> None:
        self._tokenizer, self._identity = tokenizer, identity
        self._forms = [form for form in forms_of(modes) if form != "prior"]
        self._wanted, self._answer_tokens = wanted, answer_tokens

    def _asked(self, seat: Seat, book: Book, form: Form, order: int) -> Ask | Writing:
        if form == "text":
            return text_ask(self._tokenizer, book, seat.item)
        if form == "prior":
            return prior_ask(self._tokenizer, seat.item)
        if form == "letter":
            return letter_ask(self._tokenizer, book, seat.item, order)
        return writing(self._tokenizer, book, seat.item, order, self._answer_tokens, held=form == "choice")

    def _question(self, seat: Seat, book: Book, form: Form, order: int) -> Question:
        asked = self._asked(seat, book, form, order)
        given = (
            [asked.prompt, asked.continuations]
            if isinstance(asked, Ask)
            else [asked.prompt, asked.limit, asked.choices, "greedy"]
        )
        return Question(digest.of_value([self._identity, form, given]), seat, form, order, book, asked)

    def questions(self, seat: Seat, book: Book) -> Iterator[Question]:
        """Everything asked for a seat before its Book."""
        for form in self._forms:
            for order in [0] if form == "text" else orders(seat.item, self._wanted):
                yield self._question(seat, book, form, order)

    def prior(self, seat: Seat) -> Question:
        """The options of a seat's item without question and Book."""
        return self._question(seat, EMPTY, "prior", 0)
