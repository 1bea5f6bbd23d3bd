"""The interface between an exam and a model: what is asked, what comes back, and what an engine must offer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from medctx.schemas.exam_run import Usage
from medctx.schemas.records import Book, Form

TokenLogprobs = tuple[tuple[float, ...], ...]
"""For each continuation of a LikelihoodRequest, the natural-log probability of each of its tokens."""


@dataclass(frozen=True, slots=True)
class LikelihoodRequest:
    """A prompt and its possible continuations; the answer is the log-probability of every continuation token.

    Attributes:
        prompt: Token ids of the rendered prompt.
        continuations: Token ids of each possible answer.
        message: The user message the prompt was rendered from, for servers that take no token ids.
        texts: The continuations as text, for the same servers.
    """

    prompt: tuple[int, ...]
    continuations: tuple[tuple[int, ...], ...]
    message: str = ""
    texts: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """Number of tokens of the prompt with its longest continuation."""
        return len(self.prompt) + max(map(len, self.continuations))


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A prompt that the model continues by itself, greedily.

    Attributes:
        prompt: Token ids of the rendered prompt.
        message: The user message the prompt was rendered from, for servers that render by themselves.
        max_tokens: The most tokens to generate.
        choices: If not empty, the answer is constrained to one of these texts.
        opening: The beginning of a thought that the prompt ends with; it belongs to the generated text.
    """

    prompt: tuple[int, ...]
    message: str
    max_tokens: int
    choices: tuple[str, ...] = ()
    opening: str = ""

    @property
    def length(self) -> int:
        """Number of tokens of the prompt with the longest answer allowed."""
        return len(self.prompt) + self.max_tokens


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated text. ``truncated``: generation stopped at ``max_tokens``."""

    text: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """Why a request has no answer.

    ``failed`` may succeed when asked again; ``does_not_fit`` and ``unparsable`` are final.
    """

    detail: str
    problem: Literal["failed", "does_not_fit", "unparsable"] = "failed"


class Engine(Protocol):
    """Answers requests that share a Book. Its methods may be called from ``concurrency`` threads at once."""

    @property
    def usage(self) -> Usage:
        """Requests, tokens and time so far."""
        ...

    @property
    def forms(self) -> frozenset[Form]:
        """The forms of a question that the engine can answer."""
        ...

    @property
    def float32_logits(self) -> bool | None:
        """Whether logits are computed in float32; None if unknown."""
        ...

    @property
    def concurrency(self) -> int:
        """How many requests may be under way at a time."""
        ...

    @property
    def max_positions(self) -> int:
        """Longest sequence the model accepts, in tokens; 0 if unknown."""
        ...

    def score(self, requests: Sequence[LikelihoodRequest], book: Book) -> Iterator[TokenLogprobs | RequestFailure]:
        """Yield the log-probabilities of each request in order, as soon as they are known.

        All requests are about ``book``. Nothing is sent before the first result is taken.
        """
        ...

    def generate(self, requests: Sequence[GenerationRequest], book: Book) -> Iterator[Generated | RequestFailure]:
        """Yield the greedy continuation of each request in order, in the same way."""
        ...

    def close(self) -> None:
        """Release connections and memory."""
        ...
