"""Which states of the weights stay, by rule: in ``kept/step-N``, with ``kept/kept.json`` as their list."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from medctx.io.jsonl import read_record, write_record
from medctx.schemas.records import Record
from medctx_train.probe.config import KeepSettings
from medctx_train.probe.probe import ProbeLog

FOLDER = "kept"
INDEX = "kept.json"


class Kept(Record):
    """The weights after ``step`` steps in ``folder`` (below the list's own), and which rules keep them."""

    step: int
    folder: str
    why: tuple[str, ...]
    probe: dict[str, float] = Field(default_factory=dict)


class KeptList(Record):
    """All kept states of a run, ascending by step."""

    states: tuple[Kept, ...] = ()


def wanted(
    settings: KeepSettings, done: int, checkpoint_every: int, probes: Sequence[ProbeLog]
) -> dict[int, tuple[str, ...]]:
    """The steps whose weights are to stay after ``done`` steps, each with the rules that say so.

    A pure function of what has happened, so that a continued run keeps what the straight one does. Of equal probes the
    earlier one is the best. The state before the first step is the base itself and is not kept.
    """
    found: dict[int, list[str]] = {}
    if settings.every:
        for step in range(settings.every, done + 1, settings.every):
            found.setdefault(step, []).append(f"every {settings.every}")
    for axis in settings.best:
        values = [(one.value(axis), one.step) for one in probes if 0 < one.step <= done]
        known = [(value, step) for value, step in values if value is not None]
        if known:
            _, step = max(known, key=lambda pair: (pair[0], -pair[1]))
            found.setdefault(step, []).append(f"best {axis}")
    if settings.last:
        latest = range(checkpoint_every, done + 1, checkpoint_every)[-settings.last :]
        for step in latest:
            found.setdefault(step, []).append(f"last {settings.last}")
    return {step: tuple(why) for step, why in sorted(found.items())}


def name_of(step: int) -> str:
    """The folder of a state."""
    return f"step-{step}"


def read(out: Path) -> KeptList:
    """The kept states of a run."""
    path = out / FOLDER / INDEX
    return read_record(path, KeptList) if path.is_file() else KeptList()


def list_states(out: Path, states: dict[int, tuple[str, ...]], probes: Sequence[ProbeLog]) -> None:
    """Write the list: those of ``states`` that have a folder, each with its probe. Main process only."""
    folder = out / FOLDER
    if not folder.is_dir():
        return
    values = {one.step: one.metrics for one in probes}
    entries = [
        Kept(step=step, folder=name_of(step), why=why, probe=values.get(step, {}))
        for step, why in states.items()
        if (folder / name_of(step)).is_dir()
    ]
    write_record(folder / INDEX, KeptList(states=tuple(entries)))


def drop_others(out: Path) -> None:
    """Remove the folders that the list does not name. Main process only."""
    folder = out / FOLDER
    names = {entry.folder for entry in read(out).states}
    for path in folder.glob("*") if folder.is_dir() else ():
        if path.is_dir() and path.name not in names:
            shutil.rmtree(path)
