"""A real vLLM server on the tiny model: agrees with the reference, serves adapters, reuses Books, dies with us."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from medctx.errors import MedctxError
from medctx.schemas.records import Book
from medctx.text import tokenizer
from medctx.text.book import make_book
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.engines.protocol import Generated, LikelihoodRequest, RequestFailure, TokenLogprobs
from medctx_eval.engines.transformers import TransformersEngine
from medctx_eval.engines.tree import trees
from medctx_eval.engines.vllm import BASE, VllmConfig, VllmServer, installed
from medctx_eval.prompting.prompt import generation_request, letter_request, text_request
from medctx_eval.prompting.tokenizers import ByteTokenizer, tokenizers_agree
from medctx_eval.run import canary
from tests.support.made_exam import made_exam

pytestmark = pytest.mark.skipif(not installed(VllmConfig()), reason="vLLM is not installed here")
pytest.importorskip("peft")

CONFIG = VllmConfig(max_model_len=8192, kv_cache_gib=1, hf_overrides={"max_position_embeddings": 8192})
NATS = 1e-4
BOOK = Book(id="rooms", text="rooms", tokens=200)


@pytest.fixture(scope="module")
def strong(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with larger weights: its answers depend on what it reads."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
    folder = tmp_path_factory.mktemp("strong") / "model"
    model.save_pretrained(folder)
    tokenizer.read_tokenizer(tiny).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def adapters(strong: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An adapter of the layers, and one that changes the output projection too."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    folders = {}
    for name, layers in (("tuned", "all-linear"), ("tuned-head", ["q_proj", "down_proj", "lm_head"])):
        config = LoraConfig(r=8, lora_alpha=16, target_modules=layers, init_lora_weights=False)
        folders[name] = tmp_path_factory.mktemp("adapter") / name
        get_peft_model(AutoModelForCausalLM.from_pretrained(strong), config).save_pretrained(folders[name])
    return folders


@pytest.fixture(scope="module")
def server(strong: Path, adapters: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    with VllmServer(strong, tmp_path_factory.mktemp("log") / "vllm.log", CONFIG, lora=True, float32=True) as running:
        for name, folder in adapters.items():
            running.load_adapter(name, folder)
        yield running


@pytest.fixture(scope="module")
def asks(strong: Path) -> list[LikelihoodRequest]:
    tokens = tokenizer.load_tokenizer(strong)
    exam = made_exam()
    book = make_book(exam.passages, lambda text: len(tokens.encode(text)))
    return [ask(tokens, book, item) for item in exam.items[:10] for ask in (text_request, letter_request)]


def made_requests(name: str, length: int, questions: int) -> list[LikelihoodRequest]:
    """Questions of four options on one Book, of tokens that nothing else shares."""
    draw = Random(name)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(draw.randrange(3, 250) for _ in range(count))

    book, opening, closing = ids(length), ids(8), ids(9)
    return [
        LikelihoodRequest(
            book + opening + ids(draw.randrange(15, 50)) + closing, tuple(ids(draw.randrange(2, 9)) for _ in range(4))
        )
        for _ in range(questions)
    ]


def unique_tokens(requests: Sequence[LikelihoodRequest]) -> int:
    """Tokens of prompts and options when what several begin with is computed once, and last tokens are not."""
    (tree,) = trees(requests, 0, sys.maxsize)
    return len(tree.ids)


@cache
def float32_model(folder: Path, adapter: Path | None) -> Any:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model if adapter is None else PeftModel.from_pretrained(model, adapter)


def whole_prompt(folder: Path, adapter: Path | None, prompt: tuple[int, ...], option: tuple[int, ...]) -> list[float]:
    """Log-probabilities of an option's tokens by one pass over prompt and option, without any cache."""
    import torch

    with torch.no_grad():
        logits = float32_model(folder, adapter)(torch.tensor([prompt + option])).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(option)[:, None])[:, 0].tolist()  # type: ignore[no-any-return]


def means(scores: Iterable[TokenLogprobs | RequestFailure]) -> list[list[float]]:
    results = list(scores)
    assert not any(isinstance(score, RequestFailure) for score in results), results
    return [[statistics.mean(tokens) for tokens in score] for score in results if not isinstance(score, RequestFailure)]


def gap(first: list[list[float]], second: list[list[float]]) -> float:
    pairs = zip(first, second, strict=True)
    return statistics.mean(abs(a - b) for pair, two in pairs for a, b in zip(pair, two, strict=True))


def test_it_agrees_with_the_reference_and_reads_the_book_once(
    server: VllmServer, strong: Path, asks: list[LikelihoodRequest]
) -> None:
    engine = EndpointEngine([server.url], BASE, block_size=CONFIG.block_size)
    try:
        result = means(engine.score(asks, BOOK))
        usage = engine.usage
    finally:
        engine.close()
    expected = means(TransformersEngine.load(strong, float32=True).score(asks, BOOK))
    assert gap(result, expected) < 0.05
    assert usage.computed_tokens
    assert usage.book_prefills is not None
    assert 0.9 < usage.book_prefills < 1.1


def test_a_server_without_the_route_is_asked_token_by_token(
    server: VllmServer, strong: Path, asks: list[LikelihoodRequest]
) -> None:
    engine = EndpointEngine([server.url], BASE, block_size=CONFIG.block_size)
    engine.abilities = engine.abilities.model_copy(update={"paths": False})
    try:
        result = means(engine.score(asks, BOOK))
    finally:
        engine.close()
    assert gap(result, means(TransformersEngine.load(strong, float32=True).score(asks, BOOK))) < 0.05


@pytest.mark.parametrize(
    ("model", "books", "length", "questions", "most"),
    [
        (BASE, 4, 300, 6, 1.6),
        (BASE, 1, 2000, 20, 1.45),
        (BASE, 1, 8000, 20, 1.15),
        ("tuned", 4, 300, 6, 1.6),
        ("tuned-head", 1, 2000, 20, 1.45),
    ],
)
def test_it_computes_few_tokens_more_than_there_are_and_likelihoods_are_those_of_whole_prompts(
    server: VllmServer,
    strong: Path,
    adapters: dict[str, Path],
    model: str,
    books: int,
    length: int,
    questions: int,
    most: float,
) -> None:
    engine = EndpointEngine([server.url], model, block_size=CONFIG.block_size)
    before, unique = engine.usage.computed_tokens, 0
    assert before is not None
    assert engine.abilities.paths
    try:
        for number in range(books):
            requests = made_requests(f"{length}-{number}", length + 17 * number, questions)
            unique += unique_tokens(requests)
            book = Book(id=f"{length}-{number}", text="made", tokens=length)
            result = [score for score in engine.score(requests, book) if not isinstance(score, RequestFailure)]
            assert len(result) == questions
            for request, score in list(zip(requests, result, strict=True))[:2]:
                for option, values in zip(request.continuations, score, strict=True):
                    whole = whole_prompt(strong, adapters.get(model), request.prompt, option)
                    assert values == pytest.approx(whole, abs=NATS)
        computed = engine.usage.computed_tokens
    finally:
        engine.close()
    assert computed is not None
    assert computed - before <= most * unique, f"{computed - before} computed for {unique} tokens"


def test_it_can_do_every_form_and_holds_answers_to_choices(server: VllmServer, strong: Path) -> None:
    tokens = tokenizer.load_tokenizer(strong)
    exam = made_exam()
    book = make_book(exam.passages, lambda text: len(tokens.encode(text)))
    engine = EndpointEngine([server.url], BASE, block_size=CONFIG.block_size)
    try:
        assert engine.abilities.choice_by == "structured_outputs"
        assert engine.forms == {"text", "prior", "letter", "generate", "choice"}
        assert tokenizers_agree(engine.client, BASE, tokens)
        assert tokenizers_agree(engine.client, BASE, ByteTokenizer()) is False
        held = [generation_request(tokens, book, item, 1, 8, constrained=True) for item in exam.items[:4]]
        free = [generation_request(tokens, book, item, 0, 8) for item in exam.items[:4]]
        result, freely = list(engine.generate(held, book)), list(engine.generate(free, book))
    finally:
        engine.close()
    for draft, answer in zip(held, result, strict=True):
        assert isinstance(answer, Generated)
        assert answer.text in draft.choices
    reference = list(TransformersEngine.load(strong, float32=True).generate(free, book))
    same = [free_text == other for free_text, other in zip(freely, reference, strict=True)]
    assert sum(same) >= 2, (freely, reference)


def test_an_adapter_is_proved_to_act_and_another_one_is_found_out(
    server: VllmServer, strong: Path, adapters: dict[str, Path], asks: list[LikelihoodRequest]
) -> None:
    adapter = adapters["tuned"]
    tokens = tokenizer.load_tokenizer(strong)
    tuned = EndpointEngine([server.url], "tuned", block_size=CONFIG.block_size)
    base = EndpointEngine([server.url], BASE, block_size=CONFIG.block_size)
    try:
        proof = canary.check_adapter(strong, adapter, tuned, base, tokens, float32=True)
        assert proof.passed
        assert proof.served > canary.ACTS
        result = means(tuned.score(asks, BOOK))
        with pytest.raises(MedctxError, match="does not act in the server"):
            canary.check_adapter(strong, adapter, base, base, tokens, float32=True)
    finally:
        tuned.close()
        base.close()
    plain = means(TransformersEngine.load(strong, float32=True).score(asks, BOOK))
    expected = means(TransformersEngine.load(strong, adapter, float32=True).score(asks, BOOK))
    assert gap(result, expected) < 0.1 < gap(result, plain)


def test_the_server_is_gone_when_its_owner_is_killed(tiny: Path, tmp_path: Path) -> None:
    owner = (
        "import sys, time; from pathlib import Path; from medctx_eval.engines import vllm\n"
        "vllm.VllmServer._wait = lambda self, model: print(self._process.pid, flush=True) or time.sleep(600)\n"
        "vllm.VllmServer(Path(sys.argv[1]), Path(sys.argv[2]), vllm.VllmConfig(), lora=False)\n"
    )
    command = [sys.executable, "-c", owner, str(tiny), str(tmp_path / "vllm.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        time.sleep(1)
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.2)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the server outlived its owner by a minute")
