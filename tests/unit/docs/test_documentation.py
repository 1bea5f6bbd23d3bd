"""README and docs/: links lead somewhere, and every command is one that exists, with options that it takes."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from types import ModuleType

import click
import pytest

from tests.support.documentation import NAMES, PROGRAMS, command_lines, program_of, programs
from tests.support.paths import ROOT, load_script

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
INLINE = re.compile(r"`((?:medctx-\w+|python -m study) [^`\n]+)`")
OTHERS = {"make", "pip", "mlflow", "accelerate", "python", "export", "cd", "git", "vllm", "curl"}
"""Programs whose options are not ours to check."""


def slug(heading: str) -> str:
    """The anchor a heading gets: lower case, hyphens for spaces, no punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(line.lstrip("#")) for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("#")}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def problem_with(words: list[str]) -> str:
    """Why a command would not be taken, or ""."""
    program, arguments = program_of(words)
    if program in OTHERS:
        return ""
    if program not in PROGRAMS:
        return f"{program} is no command of this project"
    command: click.Command = programs()[program]
    while isinstance(command, click.Group) and arguments:
        name = arguments[0]
        if name.startswith("-"):
            break
        if name not in command.commands:
            return f"{program} has no command {name}"
        command, arguments = command.commands[name], arguments[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {
        "--help"
    }
    unknown = [word for word in arguments if word.startswith("--") and word.partition("=")[0] not in known]
    return f"{program} {command.name} does not take {unknown[0]}" if unknown else ""


@pytest.mark.parametrize("name", NAMES)
def test_commands_exist(name: str) -> None:
    problems = [problem for words in command_lines(ROOT / name) if (problem := problem_with(words))]
    assert not problems


@pytest.mark.parametrize("name", NAMES)
def test_commands_named_in_a_sentence_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    problems = [problem for line in INLINE.findall(text) if (problem := problem_with(shlex.split(line)))]
    assert not problems


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("medctx-eval runs --out x", "no command runs"),
        ("medctx-eval run --outt x", "does not take --outt"),
        ("medctx-evil run", "no command of this project"),
        (".venv/bin/python -m study runs quick", "no command runs"),
    ],
)
def test_a_wrong_command_is_noticed(line: str, word: str) -> None:
    assert word in problem_with(shlex.split(line))


def test_readme_is_short_and_shows_what_it_promises() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 100
    assert {"make study", "make test"} <= {line.partition("#")[0].strip() for line in lines}


@cache
def generator() -> ModuleType:
    """docs/generate.py, which is no module of a package."""
    return load_script(ROOT / "docs" / "generate.py")


def test_generated_pages_are_up_to_date() -> None:
    generate = generator()
    for name, page in generate.PAGES.items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page(), f"docs/{name}: run make docs"


def test_every_page_is_in_the_navigation() -> None:
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert pages == set(re.findall(r"[\w./-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))


def test_every_page_says_in_one_line_what_it_holds() -> None:
    descriptions = {path: generator().description_of(path) for _, _, path in generator().navigation()}
    assert [path for path, text in descriptions.items() if not text.endswith(".") or not 20 <= len(text) <= 160] == []
    assert len(set(descriptions.values())) == len(descriptions)


def test_the_list_for_language_models_names_every_page_with_its_description() -> None:
    text = (ROOT / "docs" / "llms.txt").read_text(encoding="utf-8")
    assert text.startswith("# medctx\n\n> ")
    entries = dict(re.findall(r"^- \[.+?\]\((\S+)\): (.+)$", text, flags=re.MULTILINE))
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}
    assert entries == {page: generator().description_of(page) for page in pages}


def test_a_page_for_language_models_needs_no_other_file() -> None:
    api = generator().plain("reference/api/eval.md")
    assert ":::" not in api and "`medctx_eval.examine(config: RunConfig" in api and "Raises:" in api
    assert "## [0.1.0]" in generator().plain("about/changelog.md")
    assert generator().plain("start/exam.md").startswith("# ")
