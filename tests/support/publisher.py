"""A stand-in for hub and web: what is fetched comes from this machine and goes into a cache of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medctx.fetch import errors as download
from medctx.fetch.pinned import RECORD, Remote
from tests.support.hub_stand_in import Hub, hub

REPO = "owner/questions"
BODY = b'{"id": "1"}\n' * 400
FILE = Remote(repo=REPO, file="data/test.jsonl")


@contextmanager
def published(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    with hub() as server:
        monkeypatch.setenv("MEDCTX_CACHE", str(folder / "medctx"))
        # The hub library reads its variables once, when it is imported.
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
        monkeypatch.setattr(download, "FIRST_WAIT_S", 0.01)
        yield server


def plain(server: Hub, body: bytes = BODY) -> Remote:
    """A file of the stand-in that is not in a repository."""
    server.plain["/raw/v1/items.jsonl"] = body
    return Remote(url=server.url + "/raw/{revision}/items.jsonl", revision="v1")


def recorded(tmp_path: Path) -> list[dict[str, object]]:
    """The lines of the record of what was fetched."""
    return [json.loads(line) for line in (tmp_path / "medctx" / RECORD).read_text().splitlines()]
