"""Models and adapters are verified whenever they are read again, and only safetensors are loaded."""

from __future__ import annotations

import os
import pickle
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from medctx.errors import MedctxError
from medctx.io.jsonl import write_record
from medctx.model.base import prepare_base
from medctx.model.embedded import TINY
from medctx.model.identity import model_digest
from medctx.schemas.sft import RETAINED_FILE, RetainedState, RetainedStates
from medctx.text import tokenizer
from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints.merge import MergeConfig, merge
from medctx_train.model.load import load_model
from medctx_train.repair.config import ScaleConfig
from medctx_train.repair.run import repair
from medctx_train.sft.run import train
from tests.support.made_adapters import make
from tests.support.made_training import settings

FLIPS = int(os.environ.get("MEDCTX_FLIPS", "21"))
"""Single-bit flips that are tried of each kind of folder; the campaign in DECISIONS.md took 400."""


@contextmanager
def flipped(path: Path, rng: random.Random) -> Iterator[None]:
    """The file with one bit changed, and as it was afterwards."""
    original = path.read_bytes()
    content = bytearray(original)
    place = rng.randrange(len(content) * 8)
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    yield
    path.write_bytes(original)


def no_flip_is_unnoticed(folder: Path, names: list[str], read_again: Callable[[], object]) -> None:
    """Every flip in these files is refused as MedctxError."""
    rng = random.Random(0)
    for number in range(FLIPS):
        path = folder / names[number % len(names)]
        with flipped(path, rng), pytest.raises(MedctxError):
            read_again()
    read_again()


MODEL_FILES = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


@pytest.fixture(autouse=True)
def _untracked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")


@pytest.fixture
def merged(strong: Path, tmp_path: Path) -> Path:
    return merge(MergeConfig(adapter=make(strong, tmp_path / "run")), tmp_path / "merged")


def test_no_flip_in_a_merged_model_is_unnoticed(merged: Path) -> None:
    no_flip_is_unnoticed(merged, [*MODEL_FILES, "chat_template.jinja"], lambda: prepare_base(str(merged)))


def test_no_flip_in_a_repaired_model_is_unnoticed(strong: Path, tmp_path: Path) -> None:
    config = ScaleConfig(adapter=make(strong, tmp_path / "run"), alpha=0.5, write="model")
    repair(config, tmp_path / "repaired")
    folder = tmp_path / "repaired" / "model"
    no_flip_is_unnoticed(folder, [*MODEL_FILES, "chat_template.jinja"], lambda: prepare_base(str(folder)))


def test_no_flip_in_fully_trained_weights_is_unnoticed(tiny: Path, mix: Path, tmp_path: Path) -> None:
    config = settings(tiny, mix, method="full")
    folder = tmp_path / train(config, tmp_path).weights
    no_flip_is_unnoticed(folder, [*MODEL_FILES, "chat_template.jinja"], lambda: prepare_base(str(folder)))
    with flipped(folder / "model.safetensors", random.Random(1)), pytest.raises(MedctxError, match="were changed"):
        train(config, tmp_path)


def test_no_flip_in_an_adapter_is_unnoticed(strong: Path, tmp_path: Path) -> None:
    folder = make(strong, tmp_path / "run")
    names = ["adapter_config.json", "adapter_model.safetensors"]
    with_peft_base = (folder / "adapter_config.json").read_text()
    # Where the base was on the training machine identifies nothing, the base has a digest of its own.
    assert str(strong) in with_peft_base
    (folder / "adapter_config.json").write_text(with_peft_base.replace(str(strong), ""))
    no_flip_is_unnoticed(folder, names, lambda: adapters.load_adapter(tmp_path / "run"))


def test_no_flip_in_retained_weights_is_unnoticed(strong: Path, tmp_path: Path) -> None:
    folder = make(strong, tmp_path / "run").rename(tmp_path / "step-5")
    state = RetainedState(step=5, folder="step-5", weights_digest=model_digest(folder), rules=("every 5",))
    write_record(tmp_path / RETAINED_FILE, RetainedStates(states=(state,)))
    no_flip_is_unnoticed(folder, ["adapter_model.safetensors"], lambda: adapters.load_adapter(folder))


def test_no_flip_in_the_cache_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded model is made again instead, its card too."""
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path))
    folder, card = prepare_base(TINY)
    rng = random.Random(0)
    names = [*MODEL_FILES, "chat_template.jinja", "base.json"]
    for number in range(FLIPS):
        path = folder / names[number % len(names)]
        original = path.read_bytes()
        content = bytearray(original)
        place = rng.randrange(len(content) * 8)
        content[place // 8] ^= 1 << place % 8
        path.write_bytes(content)
        assert prepare_base(TINY) == (folder, card)
        assert model_digest(folder) == card.weights_digest


def test_the_record_of_a_model_that_its_user_changed_can_be_removed(merged: Path) -> None:
    (merged / "chat_template.jinja").write_text("{{ messages }}")
    with pytest.raises(
        MedctxError, match=r"states .*: they were changed .* remove merge\.json if the change is your own"
    ):
        prepare_base(str(merged))
    (merged / "merge.json").unlink()
    assert prepare_base(str(merged))[1].weights_digest == model_digest(merged)


def test_a_record_that_is_none_is_one_sentence(strong: Path, tmp_path: Path) -> None:
    make(strong, tmp_path / "run")
    for broken in ("[", "[]", "{}", '{"weights": "adapter"}'):
        (tmp_path / "run" / "sft.json").write_text(broken)
        with pytest.raises(MedctxError, match=r"cannot be read"):
            adapters.load_adapter(tmp_path / "run")


class Harmful:
    """Creates a file when it is unpickled."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.victim), "w")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("pytorch_model.bin", r"pytorch_model\.bin does not hold tensors alone"),
        ("model.pt", r"has its weights in model\.pt; give one with safetensors"),
        ("model.gguf", r"model\.gguf could not be converted by transformers"),
        ("", "holds no weights"),
    ],
)
def test_what_is_no_model_is_refused_by_name_and_nothing_is_unpickled(
    name: str, sentence: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))
    folder, victim = tmp_path / "model", tmp_path / "was here"
    shutil.copytree(tiny, folder)
    (folder / "model.safetensors").unlink()
    if name:
        (folder / name).write_bytes(pickle.dumps(Harmful(victim)))
    with pytest.raises(MedctxError, match=sentence):
        prepare_base(str(folder))
    with pytest.raises(OSError, match="safetensors"):
        load_model(folder)
    assert not victim.exists()
    assert not list((tmp_path / "cache").rglob("config.json"))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_of_tensors_is_converted_once(
    zipped: bool, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    converted, card = prepare_base(str(folder))
    assert prepare_base(str(folder)) == (converted, card)
    assert capsys.readouterr().err.count("to safetensors, once") == 1
    stored = load_file(converted / "model.safetensors")
    assert stored.keys() <= weights.keys()
    assert all(stored[name].equal(weights[name]) for name in stored)
    assert (converted / "tokenizer.json").read_bytes() == (tiny / "tokenizer.json").read_bytes()
    assert load_model(converted).config.num_hidden_layers == 2
    assert tokenizer.load_tokenizer(converted).chat_template == tokenizer.load_tokenizer(tiny).chat_template


def test_a_pickle_of_an_unknown_architecture_is_one_sentence(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    (folder / "config.json").write_text('{"model_type": "not-yet-invented"}')
    with pytest.raises(MedctxError, match=r"config of the model in .* cannot be read"):
        prepare_base(str(folder))


def write_gguf(file: Path, vocabulary: list[str], hidden: int = 32) -> dict[str, np.ndarray]:
    """A Llama of one layer with a byte-pair tokenizer, as llama.cpp stores it; returns its tensors."""
    import gguf

    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_block_count(1)
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(48)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(vocabulary))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(vocabulary)
    writer.add_token_types([1] * len(vocabulary))
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(0)
    writer.add_bos_token_id(0)
    writer.add_chat_template("{% for m in messages %}{{ m.content }}{% endfor %}")
    shapes = {"token_embd": (len(vocabulary), hidden), "output_norm": (hidden,), "output": (len(vocabulary), hidden)}
    layer = {
        "attn_q": (hidden, hidden),
        "attn_k": (16, hidden),
        "attn_v": (16, hidden),
        "attn_output": (hidden, hidden),
    }
    layer |= {"ffn_gate": (48, hidden), "ffn_up": (48, hidden), "ffn_down": (hidden, 48)}
    layer |= {"attn_norm": (hidden,), "ffn_norm": (hidden,)}
    shapes |= {f"blk.0.{name}": shape for name, shape in layer.items()}
    rng = np.random.default_rng(0)
    tensors = {f"{name}.weight": rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


def test_a_gguf_file_is_converted_with_its_tokenizer_and_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "own"
    folder.mkdir()
    tensors = write_gguf(folder / "own-f32.gguf", ["<end>", "a", "b", "ab", *map(chr, range(0x41, 0x5B))])
    converted, _ = prepare_base(str(folder))
    model = load_model(converted)
    assert model.config.max_position_embeddings == 128
    expected = torch.from_numpy(tensors["token_embd.weight"]).bfloat16()
    assert model.get_input_embeddings().weight.equal(expected)
    tokens = tokenizer.load_tokenizer(converted)
    assert tokens.chat_template and tokens.encode("ab", add_special_tokens=False) == [3]


def test_a_pickle_beside_safetensors_is_not_loaded(tiny: Path, tmp_path: Path) -> None:
    folder, victim = tmp_path / "model", tmp_path / "was here"
    shutil.copytree(tiny, folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Harmful(victim)))
    prepare_base(str(folder))
    assert isinstance(load_model(folder), torch.nn.Module)
    assert not victim.exists()
