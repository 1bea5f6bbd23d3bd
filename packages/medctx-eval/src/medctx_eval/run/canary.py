"""A few fixed prompts whose likelihoods tell models apart: is the server still the one asked before, and does its
adapter act?
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from statistics import mean

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record, write_record
from medctx.schemas.records import Record
from medctx.text.book import EMPTY
from medctx_eval.engines.protocol import Engine, Failure
from medctx_eval.engines.transformers import TransformersEngine
from medctx_eval.prompting.prompt import LikelihoodRequest, Tokenizer, ask
from medctx_eval.run.config import ModelConfig

FILE = "canary.json"
_PROMPTS = (
    ("What is a typical finding in anaemia?", ("Pallor and fatigue.", "A rash on both hands.", "I do not know.")),
    ("Which colour has the sky on a clear day?", ("Blue.", "It depends on the weather.", "Green.")),
    ("Name a vitamin.", ("Vitamin C", "Sodium", "The letter is A.")),
)
SAME = 0.2
"""Mean distance of log-probabilities in nats above which two readings are not of the same model: bfloat16 kernels of
different batch shapes stay below a tenth of it."""
ACTS = 0.02
"""An adapter that moves log-probabilities by less than this on average cannot be told from none."""


class Reading(Record):
    """Log-probabilities of every token of the canary's continuations, in nats; ``fine``: whether of float32 logits,
    nothing where that cannot be told.
    """

    logprobs: tuple[float, ...]
    fine: bool | None = None

    def distance(self, other: Reading) -> float:
        """Mean absolute difference."""
        return mean(abs(one - two) for one, two in zip(self.logprobs, other.logprobs, strict=True))


class Proof(Record):
    """How far an adapter moves the canary from its base in nats, in the reference and as served, and how far the served
    adapter is from the reference.
    """

    expected: float
    served: float
    gap: float

    @property
    def holds(self) -> bool:
        """The served model is nearer to the adapter than to its base."""
        return self.gap < max(self.expected / 2, ACTS)


def _asks(tokenizer: Tokenizer) -> list[LikelihoodRequest]:
    found = []
    for question, answers in _PROMPTS:
        messages = [{"role": "user", "content": question}]
        rendered = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        found.append(ask(tokenizer, rendered, answers))
    return found


def read(engine: Engine, tokenizer: Tokenizer) -> Reading:
    """Put the canary to a model."""
    logprobs: list[float] = []
    for scores in engine.score(_asks(tokenizer), EMPTY):
        if isinstance(scores, Failure):
            raise MedctxError(f"The canary could not be asked ({scores.detail}); try again when the server answers.")
        logprobs += [token for continuation in scores for token in continuation]
    return Reading(logprobs=tuple(logprobs), fine=engine.fine)


def same_as_before(engine: Engine, tokenizer: Tokenizer, folder: Path, name: str) -> None:
    """Hold a served model to the canary of its run folder, or write it there the first time."""
    file = folder / FILE
    now = read(engine, tokenizer)
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_record(file, now)
        return
    before = read_record(file, Reading)
    if len(before.logprobs) != len(now.logprobs) or before.distance(now) > SAME:
        raise MedctxError(
            f"The server's {name!r} is not the model whose answers are in {folder}: it scores the canary differently; "
            "give another --out, or move that folder away."
        )
    if before.fine != now.fine:
        raise MedctxError(
            f"The server computes the logits of {name!r} in another precision than it did for the answers in {folder}; "
            "give another --out, or move that folder away."
        )


def prove(model: ModelConfig, served: Engine, base: Engine, tokenizer: Tokenizer, *, float32: bool = False) -> Proof:
    """Compare what the server's adapter does to the canary with what it does in the in-process reference, which
    computes in ``float32`` where the server does.

    Raises MedctxError where the served model is the base or another adapter.
    """
    assert model.folder is not None and model.adapter is not None
    plain, tuned = (
        read(TransformersEngine.load(model.folder, adapter, float32=float32), tokenizer)
        for adapter in (None, model.adapter)
    )
    found = read(served, tokenizer)
    proof = Proof(
        expected=tuned.distance(plain), served=found.distance(read(base, tokenizer)), gap=found.distance(tuned)
    )
    if not proof.holds:
        raise MedctxError(
            f"The adapter {model.adapter} does not act in the server: it moves the canary by {proof.served:.3f} nats "
            f"and should by {proof.expected:.3f} ({proof.gap:.3f} away from the reference); is it an adapter of "
            f"{model.folder}?"
        )
    return proof


def provable() -> bool:
    """Whether the reference can run here."""
    return all(find_spec(package) is not None for package in ("torch", "peft"))
