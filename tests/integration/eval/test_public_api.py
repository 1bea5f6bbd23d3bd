"""The example of the package's docstring, as a reader would run it."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import medctx_eval
from medctx_eval.demo.server import DemoConfig, serve_models


def example(url: str) -> str:
    """The code block of the package's docstring, with the address of a server that runs."""
    assert medctx_eval.__doc__ is not None
    code = textwrap.dedent(inspect.cleandoc(medctx_eval.__doc__).partition(":\n\n")[2])
    assert "http://127.0.0.1:8000" in code
    return code.replace("http://127.0.0.1:8000", url)


def test_the_example_of_the_docstring_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    with serve_models(DemoConfig(items=8)) as config:
        exec(compile(example(config.urls[0]), "example", "exec"), {})
    rows = capsys.readouterr().out.splitlines()
    assert any(row.startswith("always-a") and "points" in row for row in rows)
    assert (tmp_path / "report" / "report.html").is_file()


def test_importing_the_package_imports_no_torch_and_no_mlflow() -> None:
    code = "import sys, medctx_eval; sys.exit('torch' in sys.modules or 'mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_exists() -> None:
    assert all(getattr(medctx_eval, name) for name in medctx_eval.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = medctx_eval.nothing
