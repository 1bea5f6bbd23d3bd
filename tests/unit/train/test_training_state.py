"""Checkpoints resume to the bit, hold no pickle, and are refused in one sentence once a bit of them changed."""

from __future__ import annotations

import os
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from medctx.errors import MedctxError
from medctx_train.checkpoints import training_state
from medctx_train.checkpoints.training_state import FOLDER, INDEX

FLIPS = int(os.environ.get("MEDCTX_FLIPS", "40"))
"""Single-bit flips that are tried; MEDCTX_FLIPS sets another number."""
Trained = tuple[torch.nn.Module, torch.optim.Optimizer]


def fresh() -> Trained:
    """A small network with a frozen weight, and its optimizer."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.Linear(4, 3))
    model[0].bias.requires_grad_(False)
    return model, torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=1e-2)


def train(trained: Trained, first: int, last: int) -> None:
    model, optimizer = trained
    for step in range(first, last):
        batch = torch.randn(2, 8, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        model(batch).pow(2).sum().backward()
        optimizer.step()


def state(trained: Trained) -> list[torch.Tensor]:
    model, optimizer = trained
    moments = [value for moments in optimizer.state.values() for value in moments.values()]
    return [value.detach().clone() for value in (*model.parameters(), *moments)]


@pytest.fixture(scope="module")
def accelerator() -> Accelerator:
    return Accelerator(cpu=True)


@pytest.fixture(scope="module")
def written(accelerator: Accelerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a checkpoint after three steps."""
    out = tmp_path_factory.mktemp("run")
    trained = fresh()
    for step in (2, 3):
        train(trained, 0 if step == 2 else 2, step)
        training_state.save_training_state(out, accelerator, *trained, step)
    return out


@pytest.fixture
def out(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "run"))


@pytest.fixture
def checkpoint(out: Path) -> Path:
    return out / FOLDER / "step-3"


def test_a_resumed_run_is_the_straight_run_to_the_bit(accelerator: Accelerator, out: Path) -> None:
    straight, resumed = fresh(), fresh()
    train(straight, 0, 5)
    train(resumed, 0, 1)
    assert training_state.restore_training_state(out, accelerator, *resumed) == 3
    train(resumed, 3, 5)
    assert all(
        expected_value.equal(other) for expected_value, other in zip(state(straight), state(resumed), strict=True)
    )


def test_only_the_last_checkpoint_is_kept_and_it_holds_safetensors_and_json_only(out: Path, checkpoint: Path) -> None:
    assert [path.name for path in (out / FOLDER).iterdir()] == ["step-3"]
    names = sorted(path.name for path in checkpoint.iterdir())
    assert names[0] == INDEX
    assert all(name.endswith(".safetensors") for name in names[1:])
    for path in checkpoint.iterdir():
        # A pickle begins with its protocol, one that torch saves with the head of a zip archive.
        assert path.read_bytes()[:2] not in {b"\x80\x02", b"\x80\x04", b"PK"}


class Harmful:
    """Creates a file when it is unpickled."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.victim), "w")


@pytest.mark.parametrize(
    "name",
    [".metadata", "__0_0.distcp", "optimizer.bin", "model.pt", "model.pth", "random_states_0.pkl", "x.safetensors"],
)
def test_a_planted_pickle_is_refused_by_name_and_never_loaded(
    name: str, accelerator: Accelerator, out: Path, checkpoint: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "was here"
    (checkpoint / name).write_bytes(pickle.dumps(Harmful(victim)))
    with pytest.raises(MedctxError, match=rf"holds {name}, which this run did not write .* remove that file"):
        training_state.restore_training_state(out, accelerator, *fresh())
    assert not victim.exists()


def test_a_pickle_in_place_of_a_file_is_refused(
    accelerator: Accelerator, out: Path, checkpoint: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "was here"
    for path in checkpoint.glob("*.safetensors"):
        path.write_bytes(pickle.dumps(Harmful(victim)))
    with pytest.raises(MedctxError, match="was changed after the checkpoint was written"):
        training_state.restore_training_state(out, accelerator, *fresh())
    assert not victim.exists()


def test_a_missing_file_and_a_moved_checkpoint_are_refused(accelerator: Accelerator, out: Path) -> None:
    moved = (out / FOLDER / "step-3").rename(out / FOLDER / "step-7")
    with pytest.raises(MedctxError, match="states step 3, which is not that of its folder"):
        training_state.restore_training_state(out, accelerator, *fresh())
    next(moved.glob("*.safetensors")).unlink()
    with pytest.raises(MedctxError, match=r"lacks shard-.*\.safetensors; restore that file"):
        training_state.restore_training_state(out, accelerator, *fresh())


def test_no_flipped_bit_goes_unnoticed(accelerator: Accelerator, out: Path, checkpoint: Path) -> None:
    """A flip is refused in one sentence, or (white space of the JSON) changes nothing that is loaded."""
    rng = random.Random(0)
    expected = fresh()
    training_state.restore_training_state(out, accelerator, *expected)
    files = sorted(checkpoint.iterdir())
    refused = 0
    for number in range(FLIPS):
        path = files[number % len(files)]
        content = bytearray(path.read_bytes())
        place = rng.randrange(len(content) * 8)
        content[place // 8] ^= 1 << place % 8
        original = path.read_bytes()
        path.write_bytes(content)
        resumed = fresh()
        try:
            training_state.restore_training_state(out, accelerator, *resumed)
        except MedctxError:
            refused += 1
        else:
            assert path.name == INDEX
            assert all(
                expected_value.equal(other)
                for expected_value, other in zip(state(expected), state(resumed), strict=True)
            )
        path.write_bytes(original)
    assert refused > 0.8 * FLIPS
