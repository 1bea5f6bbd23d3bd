"""A stand-in for hub and web: what is fetched comes from this machine and goes into a cache of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medctx.fetch import errors as download
from tests.support.hub_stand_in import Hub, hub


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
