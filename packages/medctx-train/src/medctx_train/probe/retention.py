"""Which intermediate weights are kept, in ``retained/step-N``, with ``retained/retained.json`` as their list."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from medctx.io.jsonl import read_record, write_record
from medctx.model.identity import model_digest
from medctx.schemas.sft import RETAINED_FILE, RetainedState, RetainedStates
from medctx_train.probe.config import RetentionSettings
from medctx_train.probe.probe import ProbeResult

FOLDER = "retained"


def retained_steps(
    settings: RetentionSettings, done: int, checkpoint_every: int, probes: Sequence[ProbeResult]
) -> dict[int, tuple[str, ...]]:
    """Return the steps whose weights are kept after ``done`` steps, each with the rules that keep it.

    A pure function of what has happened, so a resumed run keeps what an uninterrupted one does. Of equal probes the
    earliest is the best. The state before the first step is the base itself and is not kept.
    """
    rules: dict[int, list[str]] = {}
    if settings.every:
        for step in range(settings.every, done + 1, settings.every):
            rules.setdefault(step, []).append(f"every {settings.every}")
    for axis in settings.best:
        accuracies = [(result.accuracy(axis), result.step) for result in probes if 0 < result.step <= done]
        known = [(accuracy, step) for accuracy, step in accuracies if accuracy is not None]
        if known:
            _, step = max(known, key=lambda pair: (pair[0], -pair[1]))
            rules.setdefault(step, []).append(f"best {axis}")
    if settings.last:
        latest = range(checkpoint_every, done + 1, checkpoint_every)[-settings.last :]
        for step in latest:
            rules.setdefault(step, []).append(f"last {settings.last}")
    return {step: tuple(names) for step, names in sorted(rules.items())}


def state_folder(step: int) -> str:
    """Return the name of the folder of a retained state."""
    return f"step-{step}"


def read_index(out: Path) -> RetainedStates:
    """Read the retained states of a run."""
    path = out / FOLDER / RETAINED_FILE
    return read_record(path, RetainedStates) if path.is_file() else RetainedStates()


def write_index(out: Path, states: dict[int, tuple[str, ...]], probes: Sequence[ProbeResult]) -> None:
    """Write the index of those ``states`` that have a folder, each with its probe. Main process only."""
    folder = out / FOLDER
    if not folder.is_dir():
        return
    metrics = {result.step: result.metrics for result in probes}
    digests = {state.step: state.weights_digest for state in read_index(out).states}
    entries = [
        RetainedState(
            step=step,
            folder=state_folder(step),
            weights_digest=digests.get(step) or model_digest(folder / state_folder(step)),
            rules=rules,
            probe=metrics.get(step, {}),
        )
        for step, rules in states.items()
        if (folder / state_folder(step)).is_dir()
    ]
    write_record(folder / RETAINED_FILE, RetainedStates(states=tuple(entries)))


def remove_unlisted(out: Path) -> None:
    """Remove the folders that the index does not list. Main process only."""
    folder = out / FOLDER
    listed = {state.folder for state in read_index(out).states}
    for path in folder.glob("*") if folder.is_dir() else ():
        if path.is_dir() and path.name not in listed:
            shutil.rmtree(path)
