"""The accelerate config files that come with the package: one per way of using several processes."""

from __future__ import annotations

import shutil
from pathlib import Path

from medctx.errors import MedctxError

FOLDER = Path(__file__).parent / "launch_configs"


def names() -> list[str]:
    """Their names."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def about(name: str) -> str:
    """What one is for: its first comment."""
    return path_of(name).read_text().splitlines()[0].removeprefix("# ")


def path_of(name: str) -> Path:
    """The file of that name."""
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise MedctxError(f"There is no launch config {name!r}; known are: {', '.join(names())}.")
    return path


def copy_to(folder: Path) -> list[Path]:
    """Copy them all into a folder, where they can be changed; those that are there already are left as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in names():
        target = folder / f"{name}.yaml"
        if not target.exists():
            shutil.copyfile(path_of(name), target)
            written.append(target)
    return written
