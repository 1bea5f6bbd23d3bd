"""The API pages hold what the packages export, and every field of a record that they show is explained."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.support.paths import ROOT
from tests.unit.floor.test_public_api import documented

API = ROOT / "docs" / "reference" / "api"
DIRECTIVE = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)


def directives(page: Path) -> list[str]:
    return DIRECTIVE.findall(page.read_text(encoding="utf-8"))


def resolve(path: str) -> Any:
    """The object at a dotted path: a module, or a name of one."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)


def records() -> Iterator[tuple[str, type[BaseModel]]]:
    """The shown classes whose fields are no keys of a config: those are on the page of the config keys."""
    for page in sorted(API.glob("*.md")):
        for path in directives(page):
            item = resolve(path)
            if isinstance(item, type) and issubclass(item, BaseModel) and not path.endswith("Config"):
                yield path, item


RECORDS = dict(records())


@pytest.mark.parametrize("package", ["medctx_data", "medctx_train", "medctx_eval"])
def test_the_page_of_a_package_shows_what_it_exports(package: str) -> None:
    shown = directives(API / f"{package.removeprefix('medctx_')}.md")
    exported = {f"{package}.{name}" for name in importlib.import_module(package).__all__}
    assert {path for path in shown if path.count(".") == 1} == exported
    assert shown[0] == package  # its docstring with the example


@pytest.mark.parametrize("path", RECORDS)
def test_every_field_of_a_shown_record_is_explained(path: str) -> None:
    record = RECORDS[path]
    text = record.__doc__ or ""
    fields = set(record.model_fields) & set(record.__annotations__)
    silent = {name for name in fields if not record.model_fields[name].description and f"``{name}``" not in text}
    assert silent - set(documented(text, "Attributes")) == set()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it: a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return folder


def test_the_site_builds_and_its_api_pages_are_filled(site: Path) -> None:
    for page in sorted(API.glob("*.md")):
        built = (site / "reference" / "api" / f"{page.stem}.html").read_text(encoding="utf-8")
        assert [path for path in directives(page) if f'id="{path}"' not in built and path.count(".")] == []
        assert not re.search(r":(class|data|func|mod|meth|attr):", built), (
            "a role of Sphinx, which this site does not read"
        )
    assert "Raises:" in (site / "reference" / "api" / "eval.html").read_text(encoding="utf-8")


def test_the_site_holds_every_page_as_markdown_and_no_program(site: Path) -> None:
    pages = {page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")}
    assert {page.relative_to(site) for page in site.rglob("*.md")} == pages
    assert len((site / "llms-full.txt").read_text(encoding="utf-8")) > 50_000
    assert (site / "llms.txt").is_file() and not list(site.rglob("*.py"))
