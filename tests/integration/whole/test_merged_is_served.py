"""What `medctx-train merge` writes is loaded by vLLM and by transformers, and answers as the adapter does that is
hot-loaded beside its base.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("medctx_eval")

from click.testing import CliRunner

from medctx.schemas.records import Book
from medctx.text import tokenizer
from medctx.text.book import make_book
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.engines.transformers import TransformersEngine
from medctx_eval.engines.vllm import BASE, VllmConfig, VllmServer, installed
from medctx_eval.prompting.prompt import (
    GenerationRequest,
    LikelihoodRequest,
    generation_request,
    letter_request,
    text_request,
)
from medctx_train.cli import main
from tests.support.made_adapters import make
from tests.support.made_exam import made_exam

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not installed(VllmConfig()), reason="vLLM is not installed here")]

CONFIG = VllmConfig(max_model_len=2048, kv_cache_gib=1)
BOOK = Book(id="rooms", text="rooms", tokens=200)
NATS = 0.01
"""Float32 throughout, so that only the order of additions is left."""


class Answers:
    """Mean log-probabilities of options, and texts written greedily."""

    def __init__(
        self,
        engine: EndpointEngine | TransformersEngine,
        asks: Sequence[LikelihoodRequest],
        drafts: Sequence[GenerationRequest],
    ) -> None:
        scores = list(engine.score(asks, BOOK))
        assert all(isinstance(score, tuple | list) for score in scores), scores
        self.values = [statistics.mean(tokens) for score in scores for tokens in score]  # type: ignore[union-attr]
        self.texts = list(engine.generate(drafts, BOOK))

    def gap(self, other: Answers) -> float:
        """Largest difference in nats."""
        return max(abs(value - two) for value, two in zip(self.values, other.values, strict=True))


def served(
    model: Path,
    log: Path,
    asks: Sequence[LikelihoodRequest],
    drafts: Sequence[GenerationRequest],
    adapter: Path | None = None,
) -> Answers:
    with VllmServer(model, log, CONFIG, lora=adapter is not None, float32=True) as server:
        if adapter is not None:
            server.load_adapter("tuned", adapter)
        engine = EndpointEngine([server.url], "tuned" if adapter else BASE, block_size=CONFIG.block_size)
        try:
            return Answers(engine, asks, drafts)
        finally:
            engine.close()


def test_a_merged_model_answers_as_the_hot_loaded_adapter(strong: Path, tmp_path: Path) -> None:
    adapter = make(strong, tmp_path / "run", r=8)
    merged = tmp_path / "merged"
    done = CliRunner().invoke(main, ["merge", "--set", f"adapter={adapter}", "--out", str(merged)])
    assert done.exit_code == 0, done.output
    tokens, exam = tokenizer.load_tokenizer(strong), made_exam()
    book = make_book(exam.passages, lambda text: len(tokens.encode(text)))
    asks = [ask(tokens, book, item) for item in exam.items[:6] for ask in (text_request, letter_request)]
    drafts = [generation_request(tokens, book, item, 0, 8) for item in exam.items[:6]]
    loaded = Answers(TransformersEngine.load(merged), asks, drafts)
    plain = Answers(TransformersEngine.load(strong), asks, drafts)
    assert loaded.gap(plain) > 10 * NATS, "the adapter must change something"
    whole = served(merged, tmp_path / "merged.log", asks, drafts)
    hot = served(strong, tmp_path / "hot.log", asks, drafts, adapter)
    assert whole.gap(loaded) < NATS
    assert whole.gap(hot) < NATS
    assert whole.texts == hot.texts == loaded.texts
