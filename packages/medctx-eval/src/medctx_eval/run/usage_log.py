"""Writes usage to disk during an exam, so that a run that was killed still knows what it cost.

What an engine was used for before the first question (the canary that identifies a served model) is a line of its own:
the first one of each session that used it so.
"""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from medctx.io.journal import Journal
from medctx.schemas.exam_run import Usage, total_usage
from medctx_eval.engines.protocol import Engine

FILE = "usage.jsonl"
INTERVAL_S = 5.0
"""A kill loses the usage of at most this many seconds."""


class UsageLog:
    """Appends the usage of an engine since the last line. Safe to use from several threads."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._journal = Journal(folder / FILE, Usage)
        self._engine, self._lock = engine, Lock()
        self._written, self._when = Usage(), time.monotonic()

    def note(self, *, at_once: bool = False) -> None:
        """Append a line, unless one was written in the last ``INTERVAL_S`` seconds."""
        with self._lock:
            if at_once or time.monotonic() - self._when >= INTERVAL_S:
                now = self._engine.usage
                self._journal.append(now.since(self._written))
                self._written, self._when = now, time.monotonic()

    @property
    def total(self) -> Usage:
        """Usage of this run, in this session and before."""
        return total_usage(self._journal.records)

    def __enter__(self) -> Self:
        if self._engine.usage.requests:
            self.note(at_once=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.note(at_once=True)
        self._journal.close()
