"""Whether vLLM and the in-process reference read the same: letters of the same items, in the model's own precision.

    python -m bench.engines.engine_agreement --model FOLDER --items 50 --precision stored

Exits with 1 where the mean distance of letter log-probabilities reaches 0.05 nats or under 98 % of answers agree. With
``--exact`` both are also held against the same weights computed in float32 throughout: what is left then is what the
model's own precision costs. ``--head model`` has vLLM compute its logits in the model's precision.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from medctx.facts.curriculum import CurriculumConfig, build_curriculum
from medctx.schemas.records import Book
from medctx.text import tokenizer
from medctx.text.book import make_book
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.engines.protocol import Engine, RequestFailure
from medctx_eval.engines.transformers import TransformersEngine
from medctx_eval.engines.vllm import BASE, VllmConfig, VllmServer
from medctx_eval.exams.generated import phenotypes
from medctx_eval.prompting.prompt import LikelihoodRequest, letter_request
from medctx_eval.run.config import Precision, in_float32

MOST_NATS, LEAST_AGREEMENT = 0.05, 0.98
CLOSE_NATS = 0.05

Letters = list[list[float]]


class ExamPlan(NamedTuple):
    """Items as they are asked, each on a Book of its own evidence and rivals."""

    asks: list[LikelihoodRequest]
    books: list[Book]


def exam_plan(model: Path, count: int) -> ExamPlan:
    tokens = tokenizer.read_tokenizer(model)
    exam = phenotypes.reading(build_curriculum(CurriculumConfig()), 0)
    items = exam.items[:count]
    books = [
        make_book([exam.by_id[name] for name in (*item.evidence, *item.rivals)], lambda text: len(tokens.encode(text)))
        for item in items
    ]
    return ExamPlan([letter_request(tokens, book, item) for item, book in zip(items, books, strict=True)], books)


def letters(engine: Engine, plan: ExamPlan) -> Letters:
    """Log-probability of every letter of every item."""
    begun, result = time.monotonic(), []
    for ask, book in zip(*plan, strict=True):
        (score,) = engine.score([ask], book)
        assert not isinstance(score, RequestFailure), score
        result.append([sum(tokens) for tokens in score])
    print(
        f"  ({type(engine).__name__}: logits fine: {engine.float32_logits}; {time.monotonic() - begun:.0f} s)",
        file=sys.stderr,
    )
    return result


def served(model: Path, plan: ExamPlan, config: VllmConfig, *, float32: bool = False) -> Letters:
    with (
        tempfile.TemporaryDirectory() as scratch,
        VllmServer(model, Path(scratch) / "vllm.log", config, lora=False, float32=float32) as server,
    ):
        engine = EndpointEngine([server.url], BASE, block_size=config.block_size)
        try:
            return letters(engine, plan)
        finally:
            engine.close()


class Agreement(NamedTuple):
    """``mean`` and ``largest`` distance of letters in nats, ``same``: share of items with the same best letter."""

    mean: float
    largest: float
    same: float


def agreement(first: Letters, other: Letters) -> Agreement:
    gaps = [abs(a - b) for mine, theirs in zip(first, other, strict=True) for a, b in zip(mine, theirs, strict=True)]
    same = [mine.index(max(mine)) == theirs.index(max(theirs)) for mine, theirs in zip(first, other, strict=True)]
    return Agreement(statistics.mean(gaps), max(gaps), sum(same) / len(same))


def decided(first: Letters, other: Letters) -> tuple[int, int]:
    """Items whose best letter is ahead by more than rounding in both, and how many of them have the same."""
    both = [
        (mine.index(max(mine)), theirs.index(max(theirs)))
        for mine, theirs in zip(first, other, strict=True)
        if min(sorted(mine)[-1] - sorted(mine)[-2], sorted(theirs)[-1] - sorted(theirs)[-2]) >= CLOSE_NATS
    ]
    return len(both), sum(mine == theirs for mine, theirs in both)


def show(name: str, result: Agreement) -> None:
    print(f"{name:<34} {result.mean:.4f} nats, largest {result.largest:.4f}, same answer {100 * result.same:.1f} %")


def show_margins(name: str, results: Sequence[Sequence[float]]) -> None:
    """How far the best letter is ahead of the next: two engines can only differ on items where that is little."""
    margins = sorted(best - second for second, best in (sorted(likelihoods)[-2:] for likelihoods in results))
    ties, close = sum(margin == 0 for margin in margins), sum(margin < CLOSE_NATS for margin in margins)
    print(
        f"{'margins of ' + name:<34} median {statistics.median(margins):.3f} nats, {ties} ties, {close} of "
        f"{len(margins)} below {CLOSE_NATS}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--head", choices=["float32", "model"], default="float32")
    parser.add_argument("--precision", choices=get_args(Precision), default="auto")
    parser.add_argument("--exact", action="store_true")
    args = parser.parse_args()
    plan, float32 = exam_plan(args.model, args.items), in_float32(args.precision)
    reference = letters(TransformersEngine.load(args.model, float32=float32), plan)
    exact = letters(TransformersEngine.load(args.model, float32=True), plan) if args.exact else None
    result = served(args.model, plan, VllmConfig(max_model_len=2048, head=args.head), float32=float32)
    between = agreement(result, reference)
    computed = "in float32" if float32 else "as stored"
    print(f"{len(plan.asks)} items, computed {computed}; wanted: {MOST_NATS} nats, {LEAST_AGREEMENT:.0%} the same")
    show("vLLM - transformers", between)
    count, same = decided(result, reference)
    print(f"{'  of items decided in both':<34} {same} of {count} the same answer")
    if exact is not None:
        show("vLLM - float32 throughout", agreement(result, exact))
        show("transformers - float32 throughout", agreement(reference, exact))
    for name, answers in (("vLLM", result), ("transformers", reference)):
        show_margins(name, answers)
    return int(between.mean >= MOST_NATS or between.same < LEAST_AGREEMENT)


if __name__ == "__main__":
    sys.exit(main())
