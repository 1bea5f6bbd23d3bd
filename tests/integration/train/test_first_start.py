"""Several first starts at once on an empty cache: one makes the model, the others wait for it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from medctx.model.base import prepare_base
from medctx.model.embedded import TINY
from tests.support import forked

SCRIPT = """
import sys, time
from pathlib import Path
from medctx.model import base, tiny

folder = Path(sys.argv[1])
original = tiny.save_tiny_llama

def slowly(out, seed=0):
    (folder / f"made-by-{time.monotonic_ns()}").touch()
    original(out, seed)
    time.sleep(float(sys.argv[3]))

tiny.save_tiny_llama = slowly
(folder / f"ready-{sys.argv[2]}").touch()
while len(list(folder.glob("ready-*"))) < int(sys.argv[4]):
    time.sleep(0.01)
print(base.prepare_base(base.TINY)[1].weights_digest)
"""


def start(folder: Path, name: str, seconds: float, processes: int) -> BaseProcess:
    environment = {**os.environ, "MEDCTX_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    command = ["python", "-c", SCRIPT, str(folder), name, str(seconds), str(processes)]
    return forked.start(command, folder, environment, [str(folder / f"{name}.{stream}") for stream in ("out", "err")])


def outputs_of(folder: Path, processes: Sequence[BaseProcess]) -> list[tuple[str, str]]:
    """What each process printed and said, once it has ended."""
    for process in processes:
        process.join(300)
    return [
        ((folder / f"{number}.out").read_text(), (folder / f"{number}.err").read_text())
        for number in range(len(processes))
    ]


def test_two_first_starts_make_the_model_once(tmp_path: Path) -> None:
    processes = [start(tmp_path, str(number), 0.5, 2) for number in range(2)]
    outputs = outputs_of(tmp_path, processes)
    assert [process.exitcode for process in processes] == [0, 0], outputs
    assert len({digest for digest, _ in outputs}) == 1
    assert len(list(tmp_path.glob("made-by-*"))) == 1
    assert sum("waiting for it" in " ".join(messages.split()) for _, messages in outputs) == 1


def test_a_start_that_is_killed_while_it_makes_the_model_blocks_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = start(tmp_path, "0", 60, 1)
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob("made-by-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.kill()
    killed.join(30)
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))
    folder, _ = prepare_base(TINY)
    assert (folder / "model.safetensors").is_file()
