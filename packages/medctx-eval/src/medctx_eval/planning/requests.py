"""What is asked for a seat: one question per form and order of options, with the key its answer is found by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medctx.io import digest
from medctx.schemas.records import Book, Form, Mode
from medctx.text.book import EMPTY
from medctx_eval.planning.batches import PlannedItem
from medctx_eval.planning.option_order import orders
from medctx_eval.prompting.prompt import (
    GenerationRequest,
    LikelihoodRequest,
    Tokenizer,
    letter_ask,
    prior_ask,
    text_request,
    writing,
)

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
class ItemRequest:
    """One request for an answer. ``key`` is the digest of the model's identity and of everything it is given."""

    key: str
    planned_item: PlannedItem
    form: Form
    order: int
    book: Book
    asked: LikelihoodRequest | GenerationRequest

    @property
    def longest(self) -> int:
        """Positions it can take."""
        return self.asked.longest


def forms_of(modes: Sequence[Mode]) -> tuple[Form, ...]:
    """The forms that several modes need, each once."""
    return tuple(dict.fromkeys(form for mode in modes for form in FORMS[mode]))


def orders_of(planned_item: PlannedItem, mode: Mode, wanted: int) -> list[int]:
    """The orders a seat is judged in under a mode."""
    return orders(planned_item.item, wanted) if mode in ORDERED else [0]


class RequestBuilder:
    """Makes the questions of one model. ``wanted`` orders are asked where the form lists the options."""

    def __init__(
        self, tokenizer: Tokenizer, identity: str, modes: Sequence[Mode], wanted: int, answer_tokens: int
    ) -> None:
        self._tokenizer, self._identity = tokenizer, identity
        self._forms = [form for form in forms_of(modes) if form != "prior"]
        self._wanted, self._answer_tokens = wanted, answer_tokens

    def _asked(
        self, planned_item: PlannedItem, book: Book, form: Form, order: int
    ) -> LikelihoodRequest | GenerationRequest:
        if form == "text":
            return text_request(self._tokenizer, book, planned_item.item)
        if form == "prior":
            return prior_ask(self._tokenizer, planned_item.item)
        if form == "letter":
            return letter_ask(self._tokenizer, book, planned_item.item, order)
        return writing(self._tokenizer, book, planned_item.item, order, self._answer_tokens, held=form == "choice")

    def _question(self, planned_item: PlannedItem, book: Book, form: Form, order: int) -> ItemRequest:
        asked = self._asked(planned_item, book, form, order)
        given = (
            [asked.prompt, asked.continuations]
            if isinstance(asked, LikelihoodRequest)
            else [asked.prompt, asked.limit, asked.choices, "greedy"]
        )
        return ItemRequest(digest.of_value([self._identity, form, given]), planned_item, form, order, book, asked)

    def questions(self, planned_item: PlannedItem, book: Book) -> Iterator[ItemRequest]:
        """Everything asked for a seat before its Book."""
        for form in self._forms:
            for order in [0] if form == "text" else orders(planned_item.item, self._wanted):
                yield self._question(planned_item, book, form, order)

    def prior(self, planned_item: PlannedItem) -> ItemRequest:
        """The options of a seat's item without question and Book."""
        return self._question(planned_item, EMPTY, "prior", 0)
