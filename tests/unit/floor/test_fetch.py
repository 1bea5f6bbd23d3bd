"""Fetching over HTTP from a stand-in of the hub, and what the revision record holds it to."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.fetch import errors as download
from medctx.fetch.pinned import RECORD, Remote, fetch
from tests.support.hub_stand_in import CUT, Hub
from tests.support.publisher import BODY, FILE, REPO, plain, published, recorded


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with published(tmp_path, monkeypatch) as server:
        monkeypatch.setattr(download, "LONGEST_WAIT_S", 0.05)
        yield server


def _sentence(remote: Remote) -> str:
    with pytest.raises(MedctxError) as caught:
        fetch(remote)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_first_fetch_records_the_commit_and_the_digest(stand_in: Hub, tmp_path: Path) -> None:
    commit = stand_in.commit(REPO, {FILE.file: BODY})
    fetched = fetch(FILE)
    assert fetched.path.read_bytes() == BODY
    assert (fetched.revision, fetched.digest) == (commit, hashlib.sha256(BODY).hexdigest())
    (line,) = recorded(tmp_path)
    assert (line["revision"], line["digest"]) == (fetched.revision, fetched.digest)
    assert line["remote"] == FILE.model_dump()


def test_a_url_is_recorded_with_the_revision_asked(stand_in: Hub, tmp_path: Path) -> None:
    fetched = fetch(plain(stand_in))
    assert fetched.path.read_bytes() == BODY
    assert fetched.revision == "v1"
    assert fetched.path.name == "items.jsonl"
    stand_in.plain["/fixed.jsonl"] = BODY
    assert fetch(Remote(url=stand_in.url + "/fixed.jsonl")).revision == ""
    assert len(recorded(tmp_path)) == 2


def test_a_recorded_file_is_not_downloaded_again(stand_in: Hub, tmp_path: Path) -> None:
    stand_in.commit(REPO, {FILE.file: BODY})
    url = plain(stand_in)
    first = [fetch(FILE), fetch(url)]
    requests = list(stand_in.request_lines)
    assert [fetch(FILE), fetch(url)] == first
    assert stand_in.request_lines == requests
    assert len(recorded(tmp_path)) == 2


def test_a_newer_commit_does_not_change_what_was_recorded(stand_in: Hub, tmp_path: Path) -> None:
    stand_in.commit(REPO, {FILE.file: BODY})
    first = fetch(FILE)
    stand_in.commit(REPO, {FILE.file: b"newer"})
    shutil.rmtree(tmp_path / "hub")
    assert fetch(FILE) == first
    (tmp_path / "medctx" / RECORD).unlink()
    assert fetch(FILE).path.read_bytes() == b"newer"


@pytest.mark.parametrize("kind", ["hub", "url"])
def test_changed_bytes_are_refused_until_the_line_is_deleted(kind: str, stand_in: Hub, tmp_path: Path) -> None:
    commit = stand_in.commit(REPO, {FILE.file: BODY})
    remote = FILE if kind == "hub" else plain(stand_in)
    first = fetch(remote)
    stand_in.repos[REPO][commit] = {FILE.file: b"changed"}
    stand_in.plain["/raw/v1/items.jsonl"] = b"changed"
    shutil.rmtree(tmp_path / "hub", ignore_errors=True)
    first.path.unlink(missing_ok=True)
    for _ in range(2):
        sentence = _sentence(remote)
        assert first.digest in sentence
        assert hashlib.sha256(b"changed").hexdigest() in sentence
        assert f"delete its line in {tmp_path / 'medctx' / RECORD}" in sentence
    (tmp_path / "medctx" / RECORD).unlink()
    assert fetch(remote).path.read_bytes() == b"changed"


@pytest.mark.parametrize("kind", ["hub", "url"])
def test_a_damaged_file_in_the_cache_is_fetched_again(kind: str, stand_in: Hub) -> None:
    stand_in.commit(REPO, {FILE.file: BODY})
    remote = FILE if kind == "hub" else plain(stand_in)
    path = fetch(remote).path
    path.resolve().write_bytes(b"damaged")
    assert fetch(remote).path.read_bytes() == BODY


def test_what_is_not_there_is_one_sentence(stand_in: Hub, tmp_path: Path) -> None:
    stand_in.commit(REPO, {FILE.file: BODY})
    assert "does not exist (404)" in _sentence(Remote(repo=REPO, file="data/other.jsonl"))
    assert "revision 1.9" in _sentence(Remote(repo=REPO, file=FILE.file, revision="1.9"))
    assert "HF_TOKEN" in _sentence(Remote(repo="owner/unknown", file="a"))
    assert "path=" in _sentence(Remote(url=stand_in.url + "/nowhere.jsonl"))
    assert not (tmp_path / "medctx" / RECORD).read_bytes()


def test_a_gated_data_set_wants_its_terms_accepted_and_a_token(stand_in: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.commit(REPO, {FILE.file: BODY})
    stand_in.gated.add(REPO)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    sentence = _sentence(FILE)
    assert "accept the terms" in sentence and "HF_TOKEN" in sentence and "path=" in sentence
    monkeypatch.setenv("HF_TOKEN", "hf_made_up_for_this_test")
    assert fetch(FILE).path.read_bytes() == BODY


@pytest.mark.parametrize("trouble", [503, 429, CUT])
def test_passing_trouble_is_waited_out(trouble: int, stand_in: Hub) -> None:
    remote = plain(stand_in)
    stand_in.troubles = [trouble, trouble]
    assert fetch(remote).path.read_bytes() == BODY
    assert stand_in.count("GET") == 3


def test_a_hub_that_breaks_off_is_asked_again(stand_in: Hub) -> None:
    stand_in.commit(REPO, {FILE.file: BODY})
    stand_in.troubles = [CUT]
    assert fetch(FILE).path.read_bytes() == BODY


def test_trouble_that_stays_is_one_sentence(stand_in: Hub, tmp_path: Path) -> None:
    remote = plain(stand_in)
    stand_in.troubles = [503] * download.ATTEMPTS
    assert f"503, {download.ATTEMPTS} times" in _sentence(remote)
    assert "ConnectError" in _sentence(Remote(url="http://127.0.0.1:9/a.jsonl"))
    assert not [path for path in (tmp_path / "medctx" / "files").rglob("*") if path.is_file()]


def test_offline_mode_is_honoured(stand_in: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    stand_in.commit(REPO, {FILE.file: BODY})
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "offline mode is on" in _sentence(FILE)


def test_a_torn_last_line_of_the_record_is_forgotten(stand_in: Hub, tmp_path: Path) -> None:
    stand_in.commit(REPO, {FILE.file: BODY})
    fetch(FILE)
    with (tmp_path / "medctx" / RECORD).open("a") as stream:
        stream.write('{"remote": {"repo": "own')
    fetch(plain(stand_in))
    assert len(recorded(tmp_path)) == 2


def test_a_file_has_one_place() -> None:
    for wrong in ({}, {"repo": REPO}, {"file": "a"}, {"repo": REPO, "file": "a", "url": "http://x"}):
        with pytest.raises(ValidationError, match="either a repo with a file or a url"):
            Remote.model_validate(wrong)
