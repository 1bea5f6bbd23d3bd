"""The requests for a planned item: one per form and order of options, each with the key its reply is stored under."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medctx.io import digest
from medctx.schemas.records import Book, Form, Mode
from medctx.text.book import EMPTY
from medctx_eval.engines.protocol import GenerationRequest, LikelihoodRequest
from medctx_eval.planning.plan import PlannedItem
from medctx_eval.prompting.option_order import option_orders
from medctx_eval.prompting.prompt import (
    FORMS,
    ORDERED,
    Tokenizer,
    generation_request,
    letter_request,
    prior_request,
    render_prompt,
    text_request,
)
from medctx_eval.prompting.tokenizers import ByteTokenizer


@dataclass(frozen=True, slots=True)
class ItemRequest:
    """One request about one planned item.

    ``key`` is the digest of the model's identity and of everything the model is given.
    """

    key: str
    planned: PlannedItem
    form: Form
    order: int
    book: Book
    request: LikelihoodRequest | GenerationRequest

    @property
    def length(self) -> int:
        """Number of tokens of the prompt with the longest answer."""
        return self.request.length


def forms_of(modes: Sequence[Mode]) -> tuple[Form, ...]:
    """The forms that several modes need, each once."""
    return tuple(dict.fromkeys(form for mode in modes for form in FORMS[mode]))


def orders_of(planned: PlannedItem, mode: Mode, count: int) -> list[int]:
    """The option orders in which an item is judged under a mode."""
    return option_orders(planned.item, count) if mode in ORDERED else [0]


class RequestBuilder:
    """Builds the requests for one model.

    Args:
        tokenizer: Renders and tokenises the prompts.
        identity: Digest of what answers; part of every request's key.
        modes: The scoring modes that need an answer.
        orders: In how many option orders an item is asked if its form lists the options.
        answer_tokens: The most tokens of a free answer.
    """

    def __init__(
        self, tokenizer: Tokenizer, identity: str, modes: Sequence[Mode], orders: int, answer_tokens: int
    ) -> None:
        self._tokenizer, self._identity = tokenizer, identity
        self._forms = [form for form in forms_of(modes) if form != "prior"]
        self._orders, self._answer_tokens = orders, answer_tokens

    def _request(
        self, planned: PlannedItem, book: Book, form: Form, order: int
    ) -> LikelihoodRequest | GenerationRequest:
        item = planned.item
        if form == "text":
            return text_request(self._tokenizer, book, item)
        if form == "prior":
            return prior_request(self._tokenizer, item)
        if form == "letter":
            return letter_request(self._tokenizer, book, item, order)
        constrained = form == "choice"
        return generation_request(self._tokenizer, book, item, order, self._answer_tokens, constrained=constrained)

    def _item_request(self, planned: PlannedItem, book: Book, form: Form, order: int) -> ItemRequest:
        request = self._request(planned, book, form, order)
        contents = (
            [request.prompt, request.continuations]
            if isinstance(request, LikelihoodRequest)
            else [request.prompt, request.max_tokens, request.choices, "greedy"]
        )
        return ItemRequest(digest.of_value([self._identity, form, contents]), planned, form, order, book, request)

    def rendered(self, message: str) -> str:
        """What the model reads of a message: with the chat template, unless the tokenizer stands in for an unknown."""
        known = not isinstance(self._tokenizer, ByteTokenizer)
        return render_prompt(self._tokenizer, message) if known else message

    def requests(self, planned: PlannedItem, book: Book) -> Iterator[ItemRequest]:
        """Yield every request about a planned item and its Book."""
        for form in self._forms:
            for order in [0] if form == "text" else option_orders(planned.item, self._orders):
                yield self._item_request(planned, book, form, order)

    def prior(self, planned: PlannedItem) -> ItemRequest:
        """The request for the likelihood of the options' texts without question and Book."""
        return self._item_request(planned, EMPTY, "prior", 0)
