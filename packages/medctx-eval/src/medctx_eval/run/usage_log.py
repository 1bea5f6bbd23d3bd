"""Keeps what an exam costs on the disk as it goes, so that a run that was killed still knows what it cost."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from medctx.io.journal import Journal
from medctx.schemas.exam_run import Usage
from medctx_eval.engines.protocol import Engine
from medctx_eval.engines.usage import total

FILE = "costs.jsonl"
EVERY_S = 5.0
"""A kill loses what was spent in so many seconds at most."""


class UsageLog:
    """Appends what an engine spent since the last line. Safe to use from several threads."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self._journal = Journal(folder / FILE, Usage)
        self._engine, self._lock = engine, Lock()
        self._noted, self._when = Usage(), time.monotonic()

    def note(self, *, at_once: bool = False) -> None:
        """Write a line, unless one has just been written."""
        with self._lock:
            if at_once or time.monotonic() - self._when >= EVERY_S:
                now = self._engine.usage
                self._journal.append(now.since(self._noted))
                self._noted, self._when = now, time.monotonic()

    @property
    def total(self) -> Usage:
        """Everything spent for this run, in this session and before."""
        return total(self._journal.records)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.note(at_once=True)
        self._journal.close()
