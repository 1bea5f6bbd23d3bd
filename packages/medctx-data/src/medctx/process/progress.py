"""Progress bars with rate and ETA on stderr; plain lines where stderr is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from medctx.io.masking import mask_secrets

console = Console(stderr=True, highlight=False)

PLAIN_EVERY_S = 15.0

Advance = Callable[[float], None]


def say(line: str) -> None:
    """Print one line on stderr."""
    console.print(mask_secrets(line), markup=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


@contextmanager
def _plain(label: str, total: float, unit: str) -> Iterator[Advance]:
    begun = last = time.monotonic()
    done = 0.0

    def advance(step: float = 1.0) -> None:
        nonlocal done, last
        done += step
        now = time.monotonic()
        if now - last >= PLAIN_EVERY_S:
            last = now
            rate = done / (now - begun)
            left = _clock(max(0.0, total - done) / max(rate, 1e-9))
            say(f"{label}: {done:,.0f}/{total:,.0f} {unit}, {rate:,.1f} {unit}/s, ETA {left}")

    yield advance
    took = time.monotonic() - begun
    if took >= 2:
        say(f"{label}: {done:,.0f} {unit} in {_clock(took)}")


@contextmanager
def track(label: str, total: float, unit: str) -> Iterator[Advance]:
    """Show the progress of ``total`` units; the yielded function is called with the number of units done."""
    if not sys.stderr.isatty():
        with _plain(label, total, unit) as advance:
            yield advance
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(label, total=total, rate="")
        begun = time.monotonic()

        def advance(step: float = 1.0) -> None:
            elapsed = max(time.monotonic() - begun, 1e-9)
            done = progress.tasks[0].completed + step
            progress.update(task, advance=step, rate=f"{done / elapsed:,.1f}/s")

        yield advance
