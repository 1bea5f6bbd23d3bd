"""A command's time, memory and failure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.harness.processes import last_record, run

CHILD = "import subprocess, sys; block = bytearray(60_000_000); subprocess.run([sys.executable, '-c', sys.argv[1]])"
GRANDCHILD = "import time; block = bytearray(90_000_000); time.sleep(0.7); sum(range(3_000_000))"


def test_memory_and_time_include_what_the_command_started(tmp_path: Path) -> None:
    finished = run([sys.executable, "-c", CHILD, GRANDCHILD], tmp_path / "log")
    assert finished.peak > 150_000_000
    assert finished.seconds >= 0.7
    assert finished.processor > 0.01


def test_the_last_line_that_is_an_object_is_what_an_arm_says(tmp_path: Path) -> None:
    code = """print('a line'); print('{"numbers": {"seconds": 2}}'); print('bye')"""
    assert last_record(run([sys.executable, "-c", code], tmp_path / "log").output) == {"numbers": {"seconds": 2}}


def test_a_command_that_fails_ends_the_benchmark_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no such thing"):
        run([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path / "log")
