"""Models and adapters are verified whenever they are read again, and only safetensors are loaded."""

from __future__ import annotations

import os
import pickle
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from medctx.errors import MedctxError
from medctx.io.jsonl import write_record
from medctx.model.base import prepare_base
from medctx.model.embedded import TINY
from medctx.model.identity import model_digest
from medctx.schemas.sft import RETAINED_FILE, RetainedState, RetainedStates
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


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.gguf", ""])
def test_a_folder_without_safetensors_is_refused_by_name_and_nothing_is_unpickled(
    name: str, tiny: Path, tmp_path: Path
) -> None:
    folder, victim = tmp_path / "model", tmp_path / "was here"
    shutil.copytree(tiny, folder)
    (folder / "model.safetensors").unlink()
    if name:
        (folder / name).write_bytes(pickle.dumps(Harmful(victim)))
    contents = f"has its weights in {name}" if name else "holds no weights"
    how = r'\(FOLDER, gguf_file="model\.gguf"\)' if name.endswith(".gguf") else r"\(FOLDER\)"
    with pytest.raises(
        MedctxError, match=rf"{contents}, and only safetensors are loaded; .*from_pretrained{how}\.save"
    ):
        prepare_base(str(folder))
    with pytest.raises(OSError, match="safetensors"):
        load_model(folder)
    assert not victim.exists()


def test_a_pickle_beside_safetensors_is_not_loaded(tiny: Path, tmp_path: Path) -> None:
    folder, victim = tmp_path / "model", tmp_path / "was here"
    shutil.copytree(tiny, folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Harmful(victim)))
    prepare_base(str(folder))
    assert isinstance(load_model(folder), torch.nn.Module)
    assert not victim.exists()
