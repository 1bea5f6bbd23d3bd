"""The boundaries between the packages, and what each says about itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import medctx
from medctx.tracking import logged_adapter
from tests.support.paths import ROOT

PACKAGES = ("medctx-data", "medctx-train", "medctx-eval")
OURS = {"medctx", "medctx_data", "medctx_train", "medctx_eval"}


def project(package: str) -> dict[str, object]:
    return tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())


def bare(requirement: str) -> str:
    """``prometheus_client[x]>=0.2`` -> ``prometheus-client``."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]).lower()


def declared(package: str) -> set[str]:
    """Every distribution a package asks for, extras and those of its floor included."""
    table_of_package = project(package)
    table = table_of_package["project"]
    hook = table_of_package["tool"]["hatch"].get("metadata", {}).get("hooks", {}).get("custom", {})
    requests = [*table.get("dependencies", []), *hook.get("dependencies", [])]
    requests += [requirement for extra in table["optional-dependencies"].values() for requirement in extra]
    return {bare(requirement) for requirement in requests} | (declared("medctx-data") if hook else set())


def sources(package: str) -> list[Path]:
    """Its code but what runs elsewhere: a file that travels with a registered adapter."""
    return [path for path in (ROOT / "packages" / package / "src").rglob("*.py") if path != logged_adapter.SERVED]


def imported(paths: Iterable[Path]) -> set[str]:
    """Every top-level module that code imports, wherever in the file."""
    results: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                results |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                results.add(node.module.partition(".")[0])
    return results - OURS - set(sys.stdlib_module_names)


def test_the_layers_hold() -> None:
    linter = pytest.importorskip("importlinter.cli")
    assert linter.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_logo=True) == 0


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_imported_is_asked_for(package: str) -> None:
    providers = packages_distributions()
    requirements = declared(package)
    missing = {
        name
        for name in imported(sources(package))
        if not {bare(provider) for provider in providers.get(name, [name])} & requirements
    }
    assert not missing


def loaded(path: Path, functions: bool) -> Iterator[str]:
    """Every module that a file imports when it is loaded, and with ``functions`` also inside of functions."""
    nodes: list[ast.AST] = [ast.parse(path.read_text())]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        elif functions or not isinstance(node, ast.FunctionDef):
            nodes += ast.iter_child_nodes(node)


def test_what_travels_with_an_adapter_asks_for_what_it_imports() -> None:
    """The file itself, and the modules of the floor that it loads."""
    floor = Path(medctx.__file__).parent.parent
    third_party: set[str] = set()
    files: set[Path] = set()
    todo = [logged_adapter.SERVED]
    while todo:
        file = todo.pop()
        files.add(file)
        names = set(loaded(file, functions=file == logged_adapter.SERVED))
        third_party |= {name.partition(".")[0] for name in names} - OURS - set(sys.stdlib_module_names)
        places = [floor.joinpath(*name.split(".")) for name in names if name.startswith("medctx.")]
        modules = [place.with_suffix(".py") for place in places] + [place / "__init__.py" for place in places]
        todo += [module for module in modules if module.is_file() and module not in files]
    assert len(files) > 2
    assert third_party <= {"mlflow", *logged_adapter.REQUIREMENTS}


@pytest.mark.parametrize("package", PACKAGES)
def test_all_packages_have_one_version_one_licence_and_one_hook(package: str) -> None:
    assert project(package)["project"]["version"] == medctx.__version__
    folder = ROOT / "packages" / package
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    hook = folder / "hatch_build.py"
    assert not hook.exists() or hook.read_text() == (ROOT / "packages/medctx-eval/hatch_build.py").read_text()


@pytest.mark.parametrize("module", ["medctx_data.cli.main", "medctx_train.cli", "medctx_eval.cli.main"])
def test_a_console_command_starts_without_the_heavy_libraries(module: str) -> None:
    look = f"import sys, {module}; print(sorted({{'torch', 'transformers', 'vllm', 'mlflow'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
