"""What the packages export is documented in Google form: every argument, what is returned, every field."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest
from pydantic import BaseModel

PACKAGES = ("medctx_data", "medctx_train", "medctx_eval")
EXPORTED = [
    (package, name) for package in PACKAGES for name in getattr(importlib.import_module(package), "__all__", ())
]
FUNCTIONS = {"medctx_data": {"mix", "load_mix"}, "medctx_train": {"train", "merge"}}


def section(docstring: str, title: str) -> str:
    """The text under a title such as Args, without it."""
    match = re.search(rf"^{title}:\n((?:[ ]+.*\n|\n)+)", inspect.cleandoc(docstring) + "\n", flags=re.M)
    return match[1] if match else ""


def documented(docstring: str, title: str) -> list[str]:
    """The names that a section explains, one at the start of each entry."""
    return re.findall(r"^    \*{0,2}(\w+)(?: \(.*?\))?: \S", section(docstring, title), flags=re.M)


def test_the_packages_export_their_api() -> None:
    for package, names in FUNCTIONS.items():
        assert names <= {name for other, name in EXPORTED if other == package}


@pytest.mark.parametrize(("package", "name"), EXPORTED)
def test_what_is_exported_is_documented_in_google_form(package: str, name: str) -> None:
    item = getattr(importlib.import_module(package), name)
    text = item.__doc__ or ""
    summary, _, rest = text.partition("\n")
    assert summary.endswith(".") and (not rest or rest.startswith("\n")), "one sentence, then an empty line"
    if inspect.isclass(item):
        if issubclass(item, BaseModel):
            names = [key for key, field in item.model_fields.items() if not field.description]
            assert sorted(set(names) - set(documented(text, "Attributes"))) == []
        return
    signature = inspect.signature(item)
    assert documented(text, "Args") == list(signature.parameters)
    if signature.return_annotation not in (None, "None"):
        assert section(text, "Returns").strip()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_with_an_api_shows_how_it_is_used(package: str) -> None:
    module = importlib.import_module(package)
    if hasattr(module, "__all__"):
        assert "import" in section(module.__doc__ or "", "Example")
