"""The example of the package's docstring, as a reader would run it."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import medctx_train
from tests.support.made_training import settings


def example() -> str:
    """The code block of the package's docstring."""
    assert medctx_train.__doc__ is not None
    return textwrap.dedent(inspect.cleandoc(medctx_train.__doc__).partition(":\n\n")[2])


def test_the_example_of_the_docstring_runs(
    mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mix").symlink_to(mix)
    exec(compile(example(), "example", "exec"), {})
    assert capsys.readouterr().out.startswith("loss 6.")
    assert (tmp_path / "runs" / "merged" / "model.safetensors").is_file()


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, medctx_train; assert medctx_train.__all__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_exists() -> None:
    assert all(getattr(medctx_train, name) for name in medctx_train.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = medctx_train.nothing


def test_two_runs_of_one_process_may_differ_in_precision(
    strong: Path, mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    losses = [
        medctx_train.train(settings(strong, mix, autocast=autocast), tmp_path / autocast).first_loss
        for autocast in ("no", "bf16")
    ]
    assert losses[0] == pytest.approx(losses[1], abs=0.1)
    assert losses[0] != losses[1]
