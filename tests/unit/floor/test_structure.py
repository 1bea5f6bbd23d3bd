"""What bench/looks/structure.py counts, on a package small enough to count by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.looks.structure import (
    ROOT,
    Module,
    circles,
    duplicate_pairs,
    floors,
    folder_graph,
    import_graph,
    measure,
    own_modules,
    read_package,
)

PACKAGES = ("medctx", "medctx_data", "medctx_train", "medctx_eval", "study")
SAME = "\n".join(f"value_{n} = {n}" for n in range(6))
FILES = {
    "__init__.py": "",
    "low/__init__.py": "",
    "low/a.py": f"def f():\n    return 1\n{SAME}\n",
    "low/b.py": f"from pkg.low.a import f\n{SAME}\n",
    "high/__init__.py": "",
    "high/c.py": "from ..low import b\nclass Twice: ...\n",
    "high/d.py": "def g():\n    from pkg.high import c\nclass Twice: ...\n",
}


def package(folder: Path, **changes: str) -> list[Module]:
    for name, text in {**FILES, **changes}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return read_package("pkg", folder)


def test_imports_are_followed_absolute_relative_and_inside_functions(tmp_path: Path) -> None:
    graph = import_graph(package(tmp_path))
    assert set(graph.edges) >= {
        ("pkg.low.b", "pkg.low.a"),
        ("pkg.high.c", "pkg.low.b"),
        ("pkg.high.d", "pkg.high.c"),
    }
    assert circles(graph) == []


def test_floors_are_the_longest_chain(tmp_path: Path) -> None:
    assert floors(import_graph(package(tmp_path)), "pkg") == 4  # d, c, b, a


@pytest.mark.parametrize(("files", "folders"), [("pkg.low.b", 0), ("pkg.high.d", 1)])
def test_circles_of_files_and_of_folders(tmp_path: Path, files: str, folders: int) -> None:
    modules = package(tmp_path, **{"low/a.py": f"import {files}\n"})
    graph = import_graph(modules)
    assert [files in group and "pkg.low.a" in group for group in circles(graph)] == [True]
    assert len(circles(folder_graph(graph, {module.name: module.folder for module in modules}))) == folders


def test_duplicates_names_and_users(tmp_path: Path) -> None:
    modules = package(tmp_path)
    assert duplicate_pairs(modules) == 1
    figures = measure(modules)
    assert figures["modules"] == "4"
    assert figures["public names defined twice"] == "1"
    assert figures["modules with one user"] == "3"
    assert figures["folders, largest"] == "2, 2"


def test_the_house_keeps_its_measures() -> None:
    modules = own_modules(ROOT)
    graph = import_graph(modules)
    folders = Counter(module.folder for module in modules)
    assert max(folders.values()) <= 20
    assert circles(graph) == []
    assert circles(folder_graph(graph, {module.name: module.folder for module in modules})) == []
    assert {name: floors(graph, name) for name in PACKAGES if floors(graph, name) > 8} == {}
