"""Progress bars with rate and ETA on stderr; plain lines where stderr is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from medctx.io.masking import mask_secrets

console = Console(stderr=True, highlight=False)

PLAIN_EVERY_S = 15.0
_SHORT_S = 2.0

Advance = Callable[[float], None]


def say(line: str) -> None:
    """Print one line on stderr."""
    console.print(mask_secrets(line), markup=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


@contextmanager
def track(label: str, total: float, unit: str) -> Iterator[Advance]:
    """Show the progress of ``total`` units; the yielded function is called with the number of units done."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]} {task.fields[rate]:,.1f}/s"),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    begun = last = time.monotonic()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        progress.add_task(label, total=total, unit=unit, rate=0.0)
        (task,) = progress.tasks

        def advance(step: float = 1.0) -> None:
            nonlocal last
            now = time.monotonic()
            rate = (task.completed + step) / max(now - begun, 1e-9)
            progress.update(task.id, advance=step, rate=rate)
            if progress.disable and now - last >= PLAIN_EVERY_S:
                last = now
                left = _clock((task.remaining or 0.0) / max(rate, 1e-9))
                say(f"{label}: {task.completed:,.0f}/{total:,.0f} {unit}, {rate:,.1f} {unit}/s, ETA {left}")

        yield advance
    took = time.monotonic() - begun
    if progress.disable and took >= _SHORT_S:
        say(f"{label}: {task.completed:,.0f} {unit} in {_clock(took)}")
