"""The accelerate config files that the package ships, one per way of using several processes."""

from __future__ import annotations

import shutil
from pathlib import Path

from medctx.errors import MedctxError

FOLDER = Path(__file__).parent / "launch_configs"


def names() -> list[str]:
    """Return the names of the launch configs, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def purpose(name: str) -> str:
    """Return what a launch config is for: its first comment."""
    return path_of(name).read_text().splitlines()[0].removeprefix("# ")


def path_of(name: str) -> Path:
    """Return the file of a launch config."""
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise MedctxError(f"There is no launch config {name!r}; known are: {', '.join(names())}.")
    return path


def copy_to(folder: Path) -> list[Path]:
    """Copy the launch configs into a folder, to be changed there, and return the copies; existing files are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in names():
        target = folder / f"{name}.yaml"
        if not target.exists():
            shutil.copyfile(path_of(name), target)
            written.append(target)
    return written
