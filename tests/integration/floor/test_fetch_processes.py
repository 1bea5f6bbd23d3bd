"""Processes that fetch at once, or are killed while they fetch, leave one complete file and one line each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medctx.fetch import errors as download
from medctx.fetch.pinned import Remote, fetch
from tests.support.hub_stand_in import Hub
from tests.support.publisher import BODY, FILE, REPO, plain, published, recorded


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with published(tmp_path, monkeypatch) as server:
        monkeypatch.setattr(download, "LONGEST_WAIT_S", 0.05)
        yield server


CHILD = """
import sys
from medctx.fetch.pinned import Remote, fetch
print(fetch(Remote.model_validate_json(sys.argv[1])).model_dump_json())
"""


def _child(server: Hub, tmp_path: Path, remote: Remote) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "HF_ENDPOINT": server.url,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "hf"),
        "MEDCTX_CACHE": str(tmp_path / "medctx"),
    }
    command = [sys.executable, "-c", CHILD, remote.model_dump_json()]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def test_processes_that_fetch_at_once_write_one_line(stand_in: Hub, tmp_path: Path) -> None:
    commit = stand_in.commit(REPO, {FILE.file: BODY})
    remotes = [FILE, FILE, plain(stand_in), plain(stand_in)]
    children = [_child(stand_in, tmp_path, remote) for remote in remotes]
    answers = [json.loads(child.communicate(timeout=60)[0]) for child in children]
    assert [answer["revision"] for answer in answers] == [commit, commit, "v1", "v1"]
    assert Path(answers[0]["path"]).is_relative_to(tmp_path / "hf")
    assert len(recorded(tmp_path)) == 2
    assert sum("/raw/" in line for line in stand_in.request_lines) == 1


def test_a_killed_fetch_leaves_nothing_half_done(stand_in: Hub, tmp_path: Path) -> None:
    remote = plain(stand_in, b"x" * 50_000_000)
    child = _child(stand_in, tmp_path, remote)
    while not stand_in.request_lines and child.poll() is None:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert fetch(remote).path.stat().st_size == 50_000_000
    assert len(recorded(tmp_path)) == 1
