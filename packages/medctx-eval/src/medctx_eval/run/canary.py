"""A few fixed prompts whose likelihoods identify a model.

They show whether a server still serves the model it served before, and whether an adapter acts there.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from statistics import mean

from medctx.errors import MedctxError
from medctx.schemas.records import Record
from medctx.text.book import EMPTY
from medctx_eval.engines.protocol import Engine, LikelihoodRequest, RequestFailure
from medctx_eval.engines.transformers import TransformersEngine
from medctx_eval.prompting.prompt import Tokenizer, likelihood_request, render_prompt

_PROMPTS = (
    ("What is a typical finding in anaemia?", ("Pallor and fatigue.", "A rash on both hands.", "I do not know.")),
    ("Which colour has the sky on a clear day?", ("Blue.", "It depends on the weather.", "Green.")),
    ("Name a vitamin.", ("Vitamin C", "Sodium", "The letter is A.")),
)
SAME = 0.2
"""Two readings with a larger mean distance (in nats) are of different models; bfloat16 kernels of different batch
shapes stay below a tenth of it."""
ACTS = 0.02
"""An adapter that moves log-probabilities by less than this on average cannot be told from none."""


class CanaryReading(Record):
    """Log-probabilities of every token of the canary's continuations.

    Attributes:
        logprobs: In nats.
        float32_logits: Whether they come from float32 logits; None if unknown.
    """

    logprobs: tuple[float, ...]
    float32_logits: bool | None = None

    def distance(self, other: CanaryReading) -> float:
        """Mean absolute difference in nats."""
        return mean(abs(first - second) for first, second in zip(self.logprobs, other.logprobs, strict=True))


class AdapterCheck(Record):
    """Whether a served adapter acts as in the reference; distances on the canary in nats.

    Attributes:
        expected: Between base and adapter in the reference.
        served: Between base and adapter as served.
        gap: Between the served adapter and the reference.
    """

    expected: float
    served: float
    gap: float

    @property
    def passed(self) -> bool:
        """Whether the served model is nearer to the adapter than to its base."""
        return self.gap < max(self.expected / 2, ACTS)


def _requests(tokenizer: Tokenizer, answers: int | None) -> list[LikelihoodRequest]:
    return [
        likelihood_request(tokenizer, render_prompt(tokenizer, question), texts[:answers])
        for question, texts in _PROMPTS
    ]


def ask_canary(engine: Engine, tokenizer: Tokenizer, answers: int | None = None) -> CanaryReading:
    """Ask a model the canary.

    Args:
        engine: The model's engine.
        tokenizer: Renders the prompts.
        answers: How many answers to each prompt are read; None for all.
    """
    logprobs: list[float] = []
    for result in engine.score(_requests(tokenizer, answers), EMPTY):
        if isinstance(result, RequestFailure):
            raise MedctxError(f"The canary could not be asked ({result.detail}); try again when the server answers.")
        logprobs += [token for continuation in result for token in continuation]
    return CanaryReading(logprobs=tuple(logprobs), float32_logits=engine.float32_logits)


def check_adapter(
    folder: Path, adapter: Path, served: Engine, base: Engine, tokenizer: Tokenizer, *, float32: bool = False
) -> AdapterCheck:
    """Compare what a served adapter does to the canary with what it does in the reference engine.

    Args:
        folder: The base model.
        adapter: The adapter.
        served: The engine that serves the adapter.
        base: The engine that serves the base.
        tokenizer: The model's tokenizer.
        float32: Whether the server computes everything in float32; the reference then does too.

    Returns:
        The distances.

    Raises:
        MedctxError: If the served model is the base or another adapter.
    """
    plain, tuned = (
        ask_canary(TransformersEngine.load(folder, weights, float32=float32), tokenizer) for weights in (None, adapter)
    )
    reading = ask_canary(served, tokenizer)
    check = AdapterCheck(
        expected=tuned.distance(plain),
        served=reading.distance(ask_canary(base, tokenizer)),
        gap=reading.distance(tuned),
    )
    if not check.passed:
        raise MedctxError(
            f"The adapter {adapter} does not act in the server: it moves the canary by {check.served:.3f} nats "
            f"and should by {check.expected:.3f} ({check.gap:.3f} away from the reference); is it an adapter of "
            f"{folder}?"
        )
    return check


def reference_available() -> bool:
    """Whether the reference engine can run here."""
    return all(find_spec(package) is not None for package in ("torch", "peft"))
