"""A few fixed messages whose answers identify a model behind a server that returns no log-probabilities of choice.

Answers of 48 tokens to open messages differ between models. Servers are not exact: batches of other sizes change a
word, and some sample. So only a message that got the same answer twice tells anything, and another answer later counts
only if it is given three times.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from medctx.schemas.records import Record
from medctx.text.book import EMPTY
from medctx_eval.engines.protocol import Engine, Generated, GenerationRequest
from medctx_eval.prompting.prompt import Tokenizer, render_prompt

MESSAGES = (
    "Describe the heart in one sentence.",
    "Write one sentence about a rainy morning.",
    "Explain in one sentence why the sky is blue.",
    "Write the first five words that come to your mind.",
)
ANSWER_TOKENS = 48
FIRST_SAMPLES = 2
DOUBTED_SAMPLES = 3


class Likeness(Enum):
    """Whether the answers of today are those of the model that was asked before."""

    SAME = "same"
    OTHER = "other"
    UNKNOWN = "unknown"


class ChatReading(Record):
    """Answers to the canary's messages.

    Attributes:
        answers: By message; "" for one that is not answered, or not twice in the same way: it tells nothing.
    """

    answers: tuple[str, ...]

    @property
    def tells(self) -> bool:
        """Whether any message has an answer to compare with."""
        return any(self.answers)


def _ask(engine: Engine, tokenizer: Tokenizer, messages: Sequence[str]) -> list[str]:
    """The answers to messages; "" for each that failed: a message is not worth ending an exam."""
    requests = [
        GenerationRequest(
            tuple(tokenizer.encode(render_prompt(tokenizer, message), add_special_tokens=False)),
            message,
            ANSWER_TOKENS,
        )
        for message in messages
    ]
    results = engine.generate(requests, EMPTY)
    return [" ".join(result.text.split()) if isinstance(result, Generated) else "" for result in results]


def read_chat_canary(engine: Engine, tokenizer: Tokenizer) -> ChatReading:
    """Ask every message twice and keep the answers that are the same."""
    samples = [_ask(engine, tokenizer, MESSAGES) for _ in range(FIRST_SAMPLES)]
    return ChatReading(answers=tuple(same[0] if len(set(same)) == 1 else "" for same in zip(*samples, strict=True)))


def likeness(before: ChatReading, engine: Engine, tokenizer: Tokenizer) -> Likeness:
    """Compare a server with an earlier reading.

    A message speaks for the same model if one of up to three answers is the earlier one, and for another model if all
    three are the same and not the earlier one.
    """
    asked = [message for message, answer in zip(MESSAGES, before.answers, strict=True) if answer]
    earlier = dict(zip(MESSAGES, before.answers, strict=True))
    answers: dict[str, list[str]] = {message: [] for message in asked}
    doubted = asked
    for _ in range(DOUBTED_SAMPLES):
        for message, answer in zip(doubted, _ask(engine, tokenizer, doubted) if doubted else (), strict=True):
            answers[message].append(answer)
        doubted = [message for message in doubted if earlier[message] not in answers[message]]
    other = sum(len(set(answers[message])) == 1 and answers[message][0] != "" for message in doubted)
    same = len(asked) - len(doubted)
    if other > same:
        return Likeness.OTHER
    return Likeness.SAME if same else Likeness.UNKNOWN
