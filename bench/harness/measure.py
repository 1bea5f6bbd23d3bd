"""Measurements: each is kept as soon as it is finished, so an interrupted benchmark continues."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

Setting = dict[str, int | float | str]
Numbers = dict[str, float]


@dataclass(frozen=True)
class Measurement:
    """What one arm did once.

    Attributes:
        arm: What was measured.
        setting: The sizes it was measured at.
        repeat: Number of the repetition, from 0.
        numbers: What came out, ``seconds`` among it where time was measured.
        answers: Values that the arms of a setting must agree on, by question and option.
        load: Load average of the machine when it began.
    """

    arm: str
    setting: Setting
    repeat: int
    numbers: Numbers
    answers: dict[str, dict[str, float]] = field(default_factory=dict)
    load: float = 0.0

    @property
    def key(self) -> str:
        """Names arm, setting and repetition."""
        return key_of(self.arm, self.setting, self.repeat)


def key_of(arm: str, setting: Setting, repeat: int) -> str:
    """Name of a measurement."""
    return json.dumps([arm, setting, repeat], sort_keys=True)


def turns(arms: Sequence[str], repeats: int) -> Iterator[tuple[int, str]]:
    """Yield (repetition, arm): all arms in each repetition, the first one another each time."""
    for repeat in range(repeats):
        first = repeat % len(arms) if arms else 0
        for arm in (*arms[first:], *arms[:first]):
            yield repeat, arm


class Measurements:
    """A file of measurements, one a line; those in it are not measured again.

    Args:
        path: The file. A last line that a killed process left half-written is dropped.
        idle: Load average of the last minute below which a measurement begins; None: at once.
    """

    def __init__(self, path: Path, idle: float | None = None) -> None:
        self._path, self._idle = path, idle
        self._by_key: dict[str, Measurement] = {}
        if path.is_file():
            whole = [line for line in path.read_text(encoding="utf-8").split("\n")[:-1] if line]
            for line in whole:
                measurement = Measurement(**json.loads(line))
                self._by_key[measurement.key] = measurement
            path.write_text("".join(f"{line}\n" for line in whole), encoding="utf-8")

    def __iter__(self) -> Iterator[Measurement]:
        return iter(self._by_key.values())

    def of(self, arm: str, setting: Setting) -> list[Measurement]:
        """The measurements of an arm at a setting."""
        return [each for each in self if each.arm == arm and each.setting == setting]

    def take(
        self,
        arm: str,
        setting: Setting,
        repeat: int,
        measure: Callable[[], tuple[Numbers, Mapping[str, dict[str, float]]]],
    ) -> Measurement:
        """Return a measurement, which is made now unless it is in the file."""
        known = self._by_key.get(key_of(arm, setting, repeat))
        if known is not None:
            return known
        while self._idle is not None and os.getloadavg()[0] >= self._idle:
            time.sleep(5)
        load = round(os.getloadavg()[0], 2)
        print(f"{arm} {setting} repetition {repeat + 1} (load {load})", file=sys.stderr, flush=True)
        numbers, answers = measure()
        measurement = Measurement(arm, setting, repeat, numbers, dict(answers), load)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(measurement)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._by_key[measurement.key] = measurement
        print(f"  {numbers}", file=sys.stderr, flush=True)
        return measurement
