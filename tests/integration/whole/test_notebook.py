"""The notebook of the documentation is stored without outputs, runs as it is and shows tables and a figure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.paths import ROOT

NOTEBOOK = ROOT / "docs" / "notebook" / "first-look.ipynb"


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(notebook: Any, kind: str) -> Iterator[str]:
    """What the cells show as one MIME type."""
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if kind in output.get("data", {}):
                yield output["data"][kind]


def test_it_is_a_valid_notebook_without_stored_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert [cell.outputs for cell in code_cells(notebook)] == [[]] * len(code_cells(notebook))
    assert {cell.execution_count for cell in code_cells(notebook)} == {None}


def test_it_runs_and_shows_the_comparison_the_report_and_a_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    comparison, report = shown(notebook, "text/markdown")
    assert "| forgetful | oracle | reading | −" in comparison and ", loses |" in comparison
    assert report.startswith("No cell passes the gate")
    rows = {line.split("|")[1].strip(): line for line in report.splitlines() if line.startswith("| ")}
    assert rows["oracle"].count("100.0") >= 2 and rows.keys() > {"contrary", "mumbling", "always-a", "forgetful"}
    assert len(list(shown(notebook, "image/png"))) == 1
