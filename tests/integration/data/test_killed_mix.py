"""A mix whose process is killed while it writes shards: the same command goes on and gives the same mix."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from medctx.io.mix_folder import files_of, read_dialogues
from medctx.schemas.mix import MIX_FILE
from medctx_data.mix_folder import write as folder
from tests.support.made_dialogues import Rows

pytest.importorskip("pyarrow")

SIZE, SHARD = 6_000, 100
# Under "if": workers import this program again and must not run it.
SMALL = f"""
if __name__ == "__main__":
    from medctx_data.cli.main import main
    from medctx_data.mix_folder import parquet
    from medctx_data.row_store import rows
    parquet.SHARD, rows.SHARD = {SHARD}, 1_000
    main()
"""


@pytest.fixture
def command(write_rows: Callable[[str, Rows], Path], tokenizer_folder: Path) -> list[str]:
    """The console command, with shards so small that there are sixty of them."""
    path = write_rows("ward.jsonl", [{"instruction": f"question {n}", "output": f"answer {n}"} for n in range(SIZE)])
    source = f"{{source: medquad, path: {path}, amount: all}}"
    keys = f"tokenizer={tokenizer_folder} format=parquet processes=2"
    return [sys.executable, "-c", SMALL, "mix", "--set", keys, "--set", f"sources=[{source}]", "--out"]


def killed(command: list[str], out: Path, shards: int) -> None:
    """Run the command and kill it with SIGKILL as soon as ``shards`` shards lie there."""
    process = subprocess.Popen([*command, str(out)], env={**os.environ}, stderr=subprocess.DEVNULL)
    while len(list(out.glob("dialogues-*.parquet"))) < shards:
        assert process.poll() is None, "the mix ended before it could be killed"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_killed_mix_goes_on_where_it_was(command: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    whole: dict[str, int] = {}
    for shards in (2, 20):
        killed(command, out, shards)
        time.sleep(0.3)  # Workers end with the process that started them.
        now = {path.name: path.stat().st_mtime_ns for path in out.glob("dialogues-*.parquet")}
        assert not (out / MIX_FILE).exists()
        assert shards <= len(now) < SIZE // SHARD
        assert {name: now[name] for name in whole} == whole
        whole = now
    subprocess.run([*command, str(out)], check=True, capture_output=True)
    assert {name: (out / name).stat().st_mtime_ns for name in whole} == whole
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    alone = tmp_path / "alone"
    subprocess.run([*command, str(alone)], check=True, capture_output=True)
    manifest = folder.manifest_of(out)
    assert manifest == folder.manifest_of(alone)
    assert len(list(folder.checked(out, manifest))) == SIZE
    assert len(files_of(out)) == SIZE // SHARD
    assert sorted(int(dialogue.id.rpartition("-")[2]) for dialogue in read_dialogues(out)) == list(range(1, SIZE + 1))
