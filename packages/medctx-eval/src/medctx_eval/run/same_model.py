"""Whether a server still serves the model whose answers are in a run folder, and asks it in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record, write_record
from medctx.process.progress import say
from medctx.schemas.records import Record
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.prompting.prompt import Tokenizer
from medctx_eval.run.canary import SAME, CanaryReading, ask_canary
from medctx_eval.run.chat_canary import ChatReading, Likeness, likeness, read_chat_canary

FILE = "canary.json"
IDENTIFYING_ANSWERS = 1
"""Answers to each prompt of the canary that are read: enough to tell models apart, in a third of the tokens that would
be computed for all. An adapter, which may move likelihoods little, is checked with all of them."""


class ServedReading(Record):
    """What identifies a served model beside its name, its address and what the server says of it.

    Attributes:
        logprobs: The canary by log-probabilities; None where the server returns none of tokens that are chosen.
        answers: The canary by written answers, for such servers.
        means: How the run's modes are asked and read.
    """

    logprobs: CanaryReading | None = None
    answers: ChatReading | None = None
    means: dict[str, str] = Field(default_factory=dict)


def _read(engine: EndpointEngine, tokenizer: Tokenizer, means: Mapping[str, str]) -> ServedReading:
    if "text" in engine.forms:
        return ServedReading(logprobs=ask_canary(engine, tokenizer, IDENTIFYING_ANSWERS), means=dict(means))
    return ServedReading(answers=read_chat_canary(engine, tokenizer), means=dict(means))


def _compare(before: ServedReading, engine: EndpointEngine, tokenizer: Tokenizer) -> Likeness:
    """Compare a server with a reading."""
    if before.logprobs is not None and "text" in engine.forms:
        now = ask_canary(engine, tokenizer, IDENTIFYING_ANSWERS)
        if len(now.logprobs) < len(before.logprobs.logprobs):
            now = ask_canary(engine, tokenizer)  # a reading of all answers, as earlier versions took it
        same_length = len(now.logprobs) == len(before.logprobs.logprobs)
        return Likeness.SAME if same_length and before.logprobs.distance(now) <= SAME else Likeness.OTHER
    if before.answers is not None:
        return likeness(before.answers, engine, tokenizer)
    return Likeness.UNKNOWN


def _require_same_means(before: Mapping[str, str], now: Mapping[str, str], folder: Path, name: str) -> None:
    # A mode that is asked for the first time has no answers there.
    for key in sorted(before.keys() & now.keys()):
        if before[key] != now[key]:
            raise MedctxError(
                f"{name!r} would be asked in another way than for the answers in {folder} ({key}: {now[key]} instead "
                f"of {before[key]}); give another --out, or move that folder away."
            )


def _require_one_model(first: ServedReading, others: Sequence[EndpointEngine], tokenizer: Tokenizer, name: str) -> None:
    for other in others:
        if _compare(first, other, tokenizer) is Likeness.OTHER:
            raise MedctxError(
                f"The servers do not serve the same {name!r}: {other.client.url} answers the canary differently from "
                "the first one; give urls of one model."
            )


def require_same_model(
    engine: EndpointEngine, tokenizer: Tokenizer, folder: Path, name: str, means: Mapping[str, str]
) -> None:
    """Compare every server of a model with the canary in its run folder; the first time, write it there.

    Args:
        engine: The model's engine.
        tokenizer: Renders the canary's prompts.
        folder: The run folder.
        name: The model's name, for errors.
        means: How the run's modes are asked and read.

    Raises:
        MedctxError: If a server serves another model than before or than the others, or is asked in another way.
    """
    file = folder / FILE
    first, *others = engine.one_by_one()
    if not file.is_file():
        reading = _read(first, tokenizer, means)
        _require_one_model(reading, others, tokenizer, name)
        folder.mkdir(parents=True, exist_ok=True)
        write_record(file, reading)
        if reading.answers is not None and not reading.answers.tells:
            say(
                f"{name} repeats none of its answers to the canary, so a continued run recognises the model only by "
                "the server's address and by what the server says of it."
            )
        return
    before = read_record(file, ServedReading)
    _require_same_means(before.means, means, folder, name)
    if before.logprobs is not None and before.logprobs.float32_logits != engine.float32_logits:
        raise MedctxError(
            f"The server computes the logits of {name!r} in another precision than for the answers in {folder}; "
            "give another --out, or move that folder away."
        )
    for server in (first, *others):
        if _compare(before, server, tokenizer) is Likeness.OTHER:
            raise MedctxError(
                f"The {name!r} of {server.client.url} is not the model whose answers are in {folder}: it answers the "
                "canary differently; give another --out, or move that folder away."
            )
    if means.keys() - before.means.keys():
        write_record(file, before.model_copy(update={"means": {**before.means, **means}}))
