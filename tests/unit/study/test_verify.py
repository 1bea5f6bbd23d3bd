"""What a finished step made is checked before it is used again."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import write_records
from medctx.io.mix_folder import DIALOGUES
from medctx.model.identity import model_digest
from medctx.schemas.records import Dialogue, Turn
from medctx.schemas.result import CommandResult, Output
from study.workflow.steps import require_unchanged


def flipped(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


@pytest.fixture
def mix(tmp_path: Path) -> tuple[Path, CommandResult]:
    turns = (Turn(role="user", content="Which sign?"), Turn(role="assistant", content="A cough."))
    dialogues = [Dialogue(id=str(number), domain="medical", source="s", turns=turns) for number in range(3)]
    write_records(tmp_path / DIALOGUES, dialogues)
    made = Output(kind="mix", path=Path(), digest=digest.of_records(dialogues))
    return tmp_path, CommandResult(outputs=(made,))


@pytest.fixture
def adapter(tmp_path: Path) -> tuple[Path, CommandResult]:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(bytes(range(256)))
    made = Output(kind="adapter", path=Path("adapter"), digest=model_digest(tmp_path / "adapter"))
    return tmp_path, CommandResult(outputs=(made,))


@pytest.mark.parametrize("made", ["mix", "adapter"])
def test_what_is_unchanged_is_used(made: str, request: pytest.FixtureRequest) -> None:
    require_unchanged(*request.getfixturevalue(made))


@pytest.mark.parametrize("place", [0, 40, 100, 200])
def test_a_flipped_bit_of_weights_is_refused(place: int, adapter: tuple[Path, CommandResult]) -> None:
    folder, result = adapter
    flipped(folder / "adapter" / "adapter_model.safetensors", place)
    with pytest.raises(MedctxError, match=r"The adapter in .* was changed .* remove .* and run the study again"):
        require_unchanged(folder, result)


def test_every_flipped_bit_of_a_mix_is_refused(mix: tuple[Path, CommandResult]) -> None:
    folder, result = mix
    file = folder / DIALOGUES
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole)
        flipped(file, place)
        with pytest.raises(MedctxError):
            require_unchanged(folder, result)


def test_weights_that_are_gone_are_refused(adapter: tuple[Path, CommandResult]) -> None:
    folder, result = adapter
    (folder / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(MedctxError, match=r"was changed|holds no weights"):
        require_unchanged(folder, result)
