"""Measures how the source tree is laid out, for comparing two states of it or two projects.

Run ``python -m bench.looks.structure`` for this checkout, or give it ``NAME=FOLDER`` pairs: each FOLDER is the root of
an importable package. ``--ref REV`` measures the packages of this repository as they stood at REV beside today's, and
``--peers`` the newest releases of pydantic-evals, datatrove and inspect_ai, downloaded from the package index.

Imports are read with ``ast`` at module level; imports inside functions and under ``TYPE_CHECKING`` count as well, for
a reader has to follow them too. A floor is one step of the longest import chain inside a package, with every circle
taken as one place. A duplicate is a run of at least six code lines that stands in two places.
"""

from __future__ import annotations

import argparse
import ast
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).resolve().parents[2]
OWN = {
    "medctx": "packages/medctx-data/src/medctx",
    "medctx_data": "packages/medctx-data/src/medctx_data",
    "medctx_train": "packages/medctx-train/src/medctx_train",
    "medctx_eval": "packages/medctx-eval/src/medctx_eval",
    "study": "study",
}
PEERS = {"pydantic-evals": "pydantic_evals", "datatrove": "datatrove", "inspect-ai": "inspect_ai"}
"""Distributions of other projects and the package in each."""
RUN = 6
"""Shared lines that make a duplicate."""


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its text and its syntax tree."""

    name: str
    folder: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """The top-level package it belongs to."""
        return self.name.partition(".")[0]


def read_package(name: str, folder: Path) -> list[Module]:
    """All modules of the package ``name`` below ``folder``; files that are no Python are skipped."""
    modules = []
    for path in sorted(folder.rglob("*.py")):
        parts = [name, *path.relative_to(folder).with_suffix("").parts]
        place = ".".join(parts[:-1])
        text = path.read_text(encoding="utf-8")
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        modules.append(Module(place if parts[-1] == "__init__" else ".".join(parts), place, text, tree))
    return modules


def _targets(module: Module) -> Iterable[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.folder.split(".")
                base = ".".join([*above[: len(above) - node.level + 1], *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}"


def import_graph(modules: Sequence[Module]) -> nx.DiGraph:
    """Module -> module it imports, inside the given modules."""
    names = {module.name for module in modules}
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    for module in modules:
        for target in _targets(module):
            result = target if target in names else target.rpartition(".")[0]
            if result in names and result != module.name:
                graph.add_edge(module.name, result)
    return graph


def circles(graph: nx.DiGraph) -> list[list[str]]:
    """Groups of nodes that reach each other, smallest names first."""
    return sorted(sorted(group) for group in nx.strongly_connected_components(graph) if len(group) > 1)


def folder_graph(graph: nx.DiGraph, folder_of: Mapping[str, str]) -> nx.DiGraph:
    """Room -> room it imports, where a room is a folder directly inside a package."""

    def room(name: str) -> str:
        return ".".join(folder_of[name].split(".")[:2])

    rooms = nx.DiGraph()
    rooms.add_edges_from((room(a), room(b)) for a, b in graph.edges if room(a) != room(b) and "." in room(a) + room(b))
    # The package's own __init__ and the files beside it are no room: they may look into every room.
    rooms.remove_nodes_from([name for name in list(rooms) if "." not in name])
    return rooms


def floors(graph: nx.DiGraph, package: str) -> int:
    """Number of modules on the longest import chain inside a package."""
    inside = graph.subgraph([name for name in graph if name.partition(".")[0] == package and "." in name])
    condensed = nx.condensation(inside)
    return nx.dag_longest_path_length(condensed) + 1 if len(condensed) else 0


def _functions(modules: Iterable[Module]) -> list[int]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, kinds)
    ]


def _public_names(module: Module) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in module.tree.body if isinstance(node, kinds) and not node.name.startswith("_")}


def _code_lines(text: str) -> list[tuple[int, str]]:
    lines = ((number, re.sub(r"\s+", " ", line.strip())) for number, line in enumerate(text.splitlines(), 1))
    return [
        (number, line)
        for number, line in lines
        if line and not line.startswith(("#", "import ", "from ", '"""')) and re.search(r"\w", line)
    ]


def duplicate_pairs(modules: Sequence[Module]) -> int:
    """Pairs of files that share a run of at least ``RUN`` code lines."""
    seen: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for module in modules:
        lines = [line for _, line in _code_lines(module.text)]
        for start in range(len(lines) - RUN + 1):
            seen[tuple(lines[start : start + RUN])].add(module.name)
    return len({(a, b) for names in seen.values() for a in names for b in names if a < b})


def _percentile(values: Sequence[int], share: float) -> int:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


def measure(modules: Sequence[Module]) -> dict[str, str]:
    """The figures of one project, each with the words it is shown under."""
    graph = import_graph(modules)
    folder_of = {module.name: module.folder for module in modules}
    files = [module for module in modules if module.name != module.folder]
    per_folder = Counter(module.folder for module in files)
    users = Counter(target for _, target in graph.edges)
    lengths = [module.text.count("\n") + 1 for module in files]
    functions = _functions(modules)
    names = Counter(name for module in modules for name in _public_names(module))
    packages = sorted({module.package for module in modules})
    crowded = [f"{name.rpartition('.')[2]} {count}" for name, count in per_folder.most_common() if count > 20]
    return {
        "modules": f"{len(files)}",
        "lines": f"{sum(module.text.count(chr(10)) for module in modules):,}",
        "folders, largest": f"{len(per_folder)}, {max(per_folder.values(), default=0)}",
        "folders over 20": ", ".join(crowded) or "none",
        "floors": ", ".join(f"{name} {floors(graph, name)}" for name in packages),
        "file circles": _sizes(circles(graph)),
        "folder circles": _sizes(circles(folder_graph(graph, folder_of))),
        "module lines, median / p90": f"{statistics.median(lengths or [0]):.0f} / {_percentile(lengths, 0.9)}",
        "function lines, median / p90": f"{statistics.median(functions or [0]):.0f} / {_percentile(functions, 0.9)}",
        "public names defined twice": f"{sum(1 for count in names.values() if count > 1)}",
        "modules with one user": f"{sum(1 for module in files if users[module.name] == 1)}",
        "of these under 60 lines": f"{sum(1 for module in files if users[module.name] == 1 and _short(module))}",
        "description=": f"{sum(module.text.count('description=') for module in modules)}",
        "duplicate pairs": f"{duplicate_pairs(modules)}",
    }


def _short(module: Module) -> bool:
    return module.text.count("\n") < 60


def _sizes(groups: Sequence[Sequence[str]]) -> str:
    return f"{len(groups)} (of {', '.join(str(len(group)) for group in groups)})" if groups else "0"


def table(columns: Mapping[str, Mapping[str, str]]) -> str:
    """Figures side by side as Markdown."""
    names = list(columns)
    rows = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    figures = next(iter(columns.values()))
    rows += [f"| {key} | " + " | ".join(columns[name][key] for name in names) + " |" for key in figures]
    return "\n".join(rows)


def own_modules(root: Path) -> list[Module]:
    """The modules of this project's packages below ``root``."""
    return [
        module for name, place in OWN.items() if (root / place).is_dir() for module in read_package(name, root / place)
    ]


def at_revision(revision: str) -> list[Module]:
    """The modules as they stood at a revision of this repository."""
    packed = subprocess.run(
        ["git", "archive", revision, "packages", "study"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
        return own_modules(Path(folder))


def peer(distribution: str, package: str) -> tuple[str, list[Module]]:
    """The name with the version, and the modules, of the newest release of a distribution."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*command, "--dest", folder, distribution], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        return f"{distribution} {wheel.name.split('-')[1]}", read_package(package, Path(folder) / package)


def _print_circles(say: Callable[[str], None], modules: Sequence[Module]) -> None:
    graph = import_graph(modules)
    for label, groups in (
        ("files", circles(graph)),
        ("folders", circles(folder_graph(graph, {module.name: module.folder for module in modules}))),
    ):
        for group in groups:
            say(f"circle of {label}: {', '.join(group)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("others", nargs="*", metavar="NAME=FOLDER", help="Further packages to measure.")
    parser.add_argument("--ref", default="", help="A revision of this repository to measure beside today's tree.")
    parser.add_argument("--peers", action="store_true", help=f"Download and measure {', '.join(PEERS)}, too.")
    options = parser.parse_args()
    today = own_modules(ROOT)
    columns = {options.ref: measure(at_revision(options.ref))} if options.ref else {}
    columns["this tree"] = measure(today)
    for other in options.others:
        name, _, folder = other.partition("=")
        columns[name] = measure(read_package(name, Path(folder)))
    for distribution, package in PEERS.items() if options.peers else ():
        label, modules = peer(distribution, package)
        columns[label] = measure(modules)
    print(table(columns))
    _print_circles(lambda line: print(line, file=sys.stderr), today)


if __name__ == "__main__":
    main()
