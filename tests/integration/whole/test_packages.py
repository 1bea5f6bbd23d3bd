"""Every way a distribution reaches a machine, tried for real in environments of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.paths import ROOT

EVAL = ROOT / "packages/medctx-eval"
UV = Path(sys.executable).parent / "uv"
FLOORS = {"medctx-eval": "medctx-data[fetch,tokens]", "medctx-train": "medctx-data[models,parquet,tokens]"}
LOOK = """
import importlib.util, json, medctx, medctx_data, medctx_eval
print(json.dumps([bool(importlib.util.find_spec(name)) for name in ("torch", "vllm")]))
print(medctx.__file__)
print(medctx_eval.__file__)
"""

pytestmark = pytest.mark.skipif(not UV.exists(), reason="needs uv beside this Python; run: make install")


class Environment:
    """An empty virtual environment, without anything of the one the tests run in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run([str(UV), "venv", "--quiet", "--python", sys.executable, str(folder)])

    def run(self, command: Sequence[str]) -> str:
        hidden = {"PYTHONPATH", "VIRTUAL_ENV", "MEDCTX_RELEASE"}
        done = subprocess.run(
            command,
            cwd=self.folder.parent,
            env={key: value for key, value in os.environ.items() if key not in hidden},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self, *arguments: str) -> None:
        self.run([str(UV), "pip", "install", "--quiet", "--python", self.program("python"), *arguments])

    def program(self, name: str) -> str:
        return str(self.folder / "bin" / name)

    def examine(self) -> tuple[Path, Path]:
        """Both commands answer, nothing heavy came along; returns where the two packages lie."""
        assert "medctx-eval" in self.run([self.program("medctx-eval"), "--help"])
        assert "medctx-data" in self.run([self.program("medctx-data"), "--help"])
        heavy, floor, exam = self.run([self.program("python"), "-c", LOOK]).splitlines()
        assert heavy == "[false, false]", "torch or vLLM came with medctx-eval"
        return Path(floor), Path(exam)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "venv")


@pytest.fixture
def wheel(tmp_path: Path) -> Callable[..., Path]:
    def build(package: str, **settings: str) -> Path:
        out = tmp_path / "dist"
        command = [str(UV), "build", "--quiet", "--wheel", "--out-dir", str(out), str(ROOT / "packages" / package)]
        subprocess.run(command, check=True, env={**os.environ, "MEDCTX_RELEASE": "0", **settings})
        return next(out.glob(f"{package.replace('-', '_')}-*.whl"))

    return build


def requirements(built: Path) -> list[str]:
    with zipfile.ZipFile(built) as archive:
        name = next(member for member in archive.namelist() if member.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    return [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]


def test_the_exam_installs_alone_and_stays_light(environment: Environment) -> None:
    environment.install(str(EVAL))
    _, exam = environment.examine()  # the floor: uv links a workspace's own members to their folder, pip copies them
    assert environment.folder in exam.parents


@pytest.mark.parametrize("package", ["medctx-train", "medctx-eval"])
def test_a_checkout_finds_the_floor_beside_itself(wheel: Callable[..., Path], package: str) -> None:
    sibling = (ROOT / "packages/medctx-data").as_uri()
    assert f"{FLOORS[package]} @ {sibling}" in requirements(wheel(package))


@pytest.mark.parametrize("package", ["medctx-data", "medctx-train", "medctx-eval"])
def test_a_released_wheel_names_no_folder_of_this_machine(wheel: Callable[..., Path], package: str) -> None:
    needed = requirements(wheel(package, MEDCTX_RELEASE="1"))
    assert not [requirement for requirement in needed if "file:" in requirement]
    assert package == "medctx-data" or f"{FLOORS[package]}==0.1.0" in needed


def test_the_wheels_carry_the_files_beside_the_code(wheel: Callable[..., Path]) -> None:
    for package in ("medctx-data", "medctx-train", "medctx-eval"):
        source = ROOT / "packages" / package / "src"
        others = {
            path.relative_to(source).as_posix()
            for path in source.rglob("*")
            if path.is_file() and path.suffix != ".pyc" and not any(part.startswith(".") for part in path.parts)
        }
        with zipfile.ZipFile(wheel(package)) as archive:
            assert others <= set(archive.namelist())


@pytest.mark.slow
def test_the_exam_installs_editable(environment: Environment) -> None:
    environment.install("-e", str(EVAL))
    _, exam = environment.examine()
    assert exam == EVAL / "src/medctx_eval/__init__.py"


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a git checkout")
@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_the_exam_installs_from_a_git_subdirectory(environment: Environment, installer: str) -> None:
    place = f"git+{ROOT.as_uri()}#subdirectory=packages/medctx-eval"
    if installer == "uv":
        environment.install(place)
    else:
        environment.install("pip")
        environment.run([environment.program("python"), "-m", "pip", "install", "--quiet", place])
    environment.examine()


@pytest.mark.slow
def test_the_exam_installs_from_a_folder_of_wheels(environment: Environment, wheel: Callable[..., Path]) -> None:
    for package in ("medctx-data", "medctx-eval"):
        dist = wheel(package, MEDCTX_RELEASE="1").parent
    environment.install("--find-links", str(dist), "medctx-eval==0.1.0")
    floor, _ = environment.examine()
    assert environment.folder in floor.parents
