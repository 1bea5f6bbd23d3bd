"""Where tests find the repository and the real data files, which need not be there."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"


def _data() -> Path:
    """The folder of real data files: MEDCTX_TEST_DATA, or ``shared/data`` in or beside the repository."""
    if folder := os.environ.get("MEDCTX_TEST_DATA"):
        return Path(folder)
    others = (ROOT / "shared" / "data", ROOT.parent / "shared" / "data")
    return next((folder for folder in others if folder.is_dir()), others[0])


REAL_DATA = _data()


def load_script(path: Path) -> ModuleType:
    """A script that is no module of a package, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
