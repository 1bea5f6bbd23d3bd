"""Every architecture on the transformers engine: likelihoods and texts are those of the model without any cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.model.decoder_config import context_length, folder_context_length, supports_sdpa
from medctx.schemas.records import Book
from medctx.text import tokenizer
from medctx_eval.engines.protocol import Generated, GenerationRequest, LikelihoodRequest
from medctx_eval.run.config import ModelConfig
from medctx_eval.run.identity import shortest

torch = pytest.importorskip("torch")
decoders = pytest.importorskip("tests.support.decoders")

BOOK = Book(id="b", text="book", tokens=1)
PREFIX = tuple(3 + 11 * number % 250 for number in range(30))
REQUESTS = tuple(
    LikelihoodRequest(
        PREFIX + tuple(5 + (17 * number + place) % 250 for place in range(4 + number)),
        tuple(tuple(7 + (13 * option + 5 * place) % 250 for place in range(1 + option)) for option in range(4)),
    )
    for number in range(3)
)
WRITTEN = tuple(GenerationRequest(request.prompt, "", 6) for request in REQUESTS)
NAMES = [
    name if name in decoders.DIVERSE else pytest.param(name, marks=pytest.mark.slow) for name in decoders.ARCHITECTURES
]


def uncached(model: torch.nn.Module, ids: Sequence[int]) -> torch.Tensor:
    with torch.no_grad():
        return torch.log_softmax(model(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0].float(), dim=-1)


def greedy(model: torch.nn.Module, prompt: tuple[int, ...], amount: int, stop: set[int]) -> list[int]:
    written: list[int] = []
    while len(written) < amount:
        token = int(uncached(model, [*prompt, *written])[-1].argmax())
        if token in stop:
            break
        written.append(token)
    return written


@pytest.mark.parametrize("name", NAMES)
def test_likelihoods_and_texts_are_those_of_uncached_passes(name: str, alphabet: Path) -> None:
    from medctx_eval.engines.transformers import TransformersEngine

    model, tokens = decoders.random_decoder(name), tokenizer.read_tokenizer(alphabet)
    engine = TransformersEngine(model, tokens)
    assert engine._decoder.has_tree == decoders.ARCHITECTURES[name].has_tree
    for request, scores in zip(REQUESTS, engine.score(REQUESTS, BOOK), strict=True):
        for continuation, score in zip(request.continuations, scores, strict=True):
            logprobs = uncached(model, request.prompt + continuation)[len(request.prompt) - 1 :]
            expected = [float(logprobs[place, token]) for place, token in enumerate(continuation)]
            assert score == pytest.approx(expected, abs=1e-4)
    stop = engine._stop_tokens()
    for request, result in zip(WRITTEN, engine.generate(WRITTEN, BOOK), strict=True):
        assert isinstance(result, Generated)
        ids = greedy(model, request.prompt, request.max_tokens, stop)
        assert result.text == tokens.decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize("name", decoders.ARCHITECTURES)
def test_the_length_of_every_architecture_is_read_through_its_config(name: str, tmp_path: Path) -> None:
    config = decoders.config_of(name)
    config.save_pretrained(tmp_path)
    assert context_length(config) == folder_context_length(tmp_path) == decoders.ARCHITECTURES[name].positions


def test_a_model_without_a_stated_length_sets_no_limit(tmp_path: Path) -> None:
    decoders.config_of("mamba2").save_pretrained(tmp_path)
    model = ModelConfig(name="m", folder=tmp_path)
    assert shortest([model]) == 0
    assert shortest([model], 512, None) == 512
    assert shortest([ModelConfig(name="served")]) == 0


@pytest.mark.parametrize(
    "config",
    [
        "",
        "{",
        "[1]",
        '{"model_type": "not-yet-invented"}',
        '{"model_type": ["llama"]}',
        '{"model_type": "llama", "hidden_size": "abc"}',
        '{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 7}',
        '{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 0}',
        '{"model_type": "llama", "rope_parameters": 3}',
    ],
)
def test_a_folder_without_a_readable_config_is_one_sentence(config: str, tmp_path: Path) -> None:
    if config:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(MedctxError, match=r"config of the model in .* cannot be read"):
        folder_context_length(tmp_path)


def test_attention_that_has_only_its_own_code_is_known() -> None:
    without = {name for name in decoders.DIVERSE if not supports_sdpa(decoders.config_of(name))}
    assert without == {"bloom", "gpt_oss", "mamba2"}


def test_what_is_computed_whole_is_said(alphabet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from medctx_eval.engines.transformers import TransformersEngine

    TransformersEngine(decoders.random_decoder("mamba2"), tokenizer.read_tokenizer(alphabet))
    TransformersEngine(decoders.random_decoder("llama"), tokenizer.read_tokenizer(alphabet))
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("each prompt is computed whole") == 1
    assert said.startswith("Mamba2ForCausalLM")
