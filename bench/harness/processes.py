"""Runs a command to its end and counts its time and memory, those of its children included."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")
TAIL = 2_000


class Finished(NamedTuple):
    """A command that ended well: wall and processor seconds, peak resident bytes of all its processes, its output."""

    seconds: float
    processor: float
    peak: int
    output: str


def resident(root: int) -> int:
    """Resident bytes of a process and its descendants."""
    total = 0
    waiting = [root]
    while waiting:
        folder = Path(f"/proc/{waiting.pop()}")
        try:
            total += int((folder / "statm").read_text().split()[1]) * PAGE
            for thread in (folder / "task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
        except OSError:  # it ended meanwhile
            continue
    return total


def run(command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> Finished:
    """Run a command; its errors go to ``log``, its output is returned.

    Raises:
        SystemExit: If it fails, with the end of what it said.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    output = log.with_suffix(".out")
    peak = 0
    with log.open("w", encoding="utf-8") as errors, output.open("w", encoding="utf-8") as stream:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=errors,
            env={**os.environ, **(environment or {})},
        )
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            peak = max(peak, resident(process.pid))
            time.sleep(min(0.5, 0.02 + (time.perf_counter() - begun) / 100))
        seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = log.read_text(errors="replace")[-TAIL:] + output.read_text(errors="replace")[-TAIL:]
        raise SystemExit(f"{' '.join(map(str, command))} failed ({process.returncode}):\n{said}")
    return Finished(seconds, usage.ru_utime + usage.ru_stime, peak, output.read_text(errors="replace"))


def last_record(output: str) -> dict[str, object]:
    """The last line of an output that is a JSON object: what an arm says of itself."""
    line = next(line for line in reversed(output.splitlines()) if line.startswith("{"))
    record: dict[str, object] = json.loads(line)
    return record
