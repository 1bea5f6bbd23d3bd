"""The examples of CONTRIBUTING.md run as they stand, keep the project's rules and are short."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from medctx_data.sources.cards import CARDS
from medctx_eval.exams.registry import EXAMS
from tests.support.paths import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = dict(section.split("\n", 1) for section in PAGE.split("\n## ")[1:])
EXAMPLES = {title: text.split("```python\n")[1].split("```")[0] for title, text in SECTIONS.items() if "```py" in text}


def test_there_is_an_example_of_each() -> None:
    assert list(EXAMPLES) == ["Add a source of dialogues", "Add an exam", "Add an engine"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_and_is_short(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = EXAMPLES[name]
    assert len(code.splitlines()) < 60
    monkeypatch.chdir(tmp_path)
    sources, exams = dict(CARDS), dict(EXAMS)
    try:
        exec(compile(code, f"CONTRIBUTING.md: {name}", "exec", dont_inherit=True), {"__name__": "example"})
    finally:
        for registry, before in ((CARDS, sources), (EXAMS, exams)):
            registry.clear()
            registry.update(before)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_formatted(name: str) -> None:
    command = [sys.executable, "-m", "ruff", "format", "--check", "--diff", "--stdin-filename", "example.py", "-"]
    result = subprocess.run(command, input=EXAMPLES[name], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_folders_it_names_exist() -> None:
    folders = [
        name
        for cell in re.findall(r"^\| (`.*?) \|", SECTIONS["Where things are"], flags=re.M)
        for name in re.findall(r"`(.+?)`", cell)
    ]
    assert len(folders) >= 9
    assert [name for name in folders if not (ROOT / name).is_dir()] == []
