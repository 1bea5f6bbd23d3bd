"""Outages of an exam end in one sentence and exit code 2; what was answered stays and is not asked again."""

from __future__ import annotations

import errno
import os
import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from medctx.io.journal import Journal, read_journal
from medctx.schemas.exam_run import EXAM_FILE
from medctx.schemas.records import Reply
from medctx_eval.artifacts import run_folder
from medctx_eval.cli.main import main
from medctx_eval.demo.server import serving
from tests.support.exam_files import ROWS
from tests.support.scripted_server import ScriptedServer, arguments, serve

AWAY = "http://no-such-host.invalid"


pytestmark = pytest.mark.usefixtures("short_waits")


def call(url: str, exam: Path, out: Path, *more: str) -> Result:
    return CliRunner().invoke(main, arguments([url], exam, out, *more))


def sentence(result: Result) -> str:
    """The one sentence of a command that ended with exit code 2."""
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit) and "Traceback" not in result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


def _only_folder(out: Path) -> Path:
    return next(path for path in out.iterdir() if path.name.startswith("m-"))


def _make_folder(name: str) -> Callable[[Path], None]:
    def break_it(out: Path) -> None:
        folder = _only_folder(out)
        (folder / EXAM_FILE).unlink()
        (folder / name).unlink(missing_ok=True)
        (folder / name / "inside").mkdir(parents=True)

    return break_it


def _folder_is_a_file(out: Path) -> None:
    folder = _only_folder(out)
    shutil.rmtree(folder)
    folder.write_text("a file")


def _config_is_a_folder(out: Path) -> None:
    (out / "config.yaml").unlink()
    (out / "config.yaml").mkdir()


@pytest.mark.parametrize(
    "break_it",
    [
        _make_folder(run_folder.REPLIES),
        _make_folder(run_folder.VERDICTS),
        _make_folder("usage.jsonl"),
        _make_folder(".lock"),
        _make_folder("canary.json"),
        _folder_is_a_file,
        _config_is_a_folder,
    ],
    ids=["replies", "verdicts", "usage", "lock", "canary", "folder", "config"],
)
def test_a_folder_or_file_in_the_way_is_one_sentence(
    break_it: Callable[[Path], None], exam: Path, tmp_path: Path
) -> None:
    with serve() as server:
        assert call(server.url, exam, tmp_path / "out").exit_code == 0
        break_it(tmp_path / "out")
        result = call(server.url, exam, tmp_path / "out")
        if result.exit_code == 0:
            assert break_it.__qualname__.startswith("_make_folder"), "only what a chat server does not need"
        else:
            assert str(tmp_path / "out") in sentence(result)


@pytest.mark.parametrize(
    ("out", "words"),
    [("/proc/nope/out", "does not exist"), ("taken/out", "a folder where a file lies"), ("loop/out", "form a loop")],
)
def test_a_place_that_cannot_be_written_is_one_sentence(out: str, words: str, exam: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with serve() as server:
        assert words in sentence(call(server.url, exam, tmp_path / out))
        assert not server.questions, "known before anything is asked"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fails_in_mid_exam_keeps_what_was_answered(
    number: int, exam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, added = Journal.add, 0

    def fails_after_five(journal: Journal[Reply], reply: Reply) -> None:
        nonlocal added
        if added == 5:
            raise OSError(number, os.strerror(number), str(journal.path))
        added += isinstance(reply, Reply)
        add(journal, reply)

    with serve() as server:
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "add", fails_after_five)
            said = sentence(call(server.url, exam, tmp_path / "out", "concurrency=1"))
        assert ".jsonl" in said and str(tmp_path / "out") in said
        (journal,) = (tmp_path / "out").glob("*/replies.jsonl")
        assert len(list(read_journal(journal, Reply))) == 5
        before = len(server.questions)
        assert call(server.url, exam, tmp_path / "out", "concurrency=1").exit_code == 0
        replies = list(read_journal(journal, Reply))
        assert len({reply.key for reply in replies}) == len(replies) == ROWS
        # What was under way when the disk failed may reach a busy server later.
        assert len(server.questions) - before in {ROWS - 5, ROWS - 4}


def test_without_a_home_own_files_are_examined(exam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    for name in ("HOME", "MEDCTX_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with serve() as server:
        assert call(server.url, exam, tmp_path / "out").exit_code == 0
        published = call(server.url, exam, tmp_path / "out", "exams=[{exam: medqa}]")
    assert "MEDCTX_CACHE" in sentence(published)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NO_PROXY", "localhost,[::1]"),
        ("NO_PROXY", "fd00:1::/32"),
        ("HTTP_PROXY", "nonsense://proxy:1"),
        ("ALL_PROXY", "http://proxy:notaport"),
        ("SSL_CERT_FILE", "/no/such/file.pem"),
    ],
)
def test_settings_of_proxies_and_certificates_that_cannot_be_used_are_named(
    name: str, value: str, exam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    monkeypatch.setenv(name, value)
    sentence(call(AWAY.replace("http:", "https:") if "SSL" in name else AWAY, exam, tmp_path / "away"))
    with serve() as server:
        assert call(server.url, exam, tmp_path / "out").exit_code == 0, "a server on this machine needs no proxy"


def test_a_certificate_that_is_not_trusted_is_named(exam: Path, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ScriptedServer(lambda question: None, {}) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with serving(server):
            said = sentence(call(f"https://localhost:{server.server_port}", exam, tmp_path / "out"))
    assert "certificate" in said and "SSL_CERT_FILE" in said


def test_an_unreachable_server_is_one_sentence_with_its_address(exam: Path, tmp_path: Path) -> None:
    assert "No server answers at http://no-such-host.invalid" in sentence(call(AWAY, exam, tmp_path / "out"))


def test_a_store_whose_artifacts_cannot_be_written_costs_the_log_only(
    exam: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MEDCTX_TRACKING", "on")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/store.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/store.db")
    mlflow.create_experiment("medctx", artifact_location="/proc/nope/artifacts")
    with serve() as server:
        result = call(server.url, exam, tmp_path / "out", "models=[{name: m}, {name: m, cell: again}]")
    assert result.exit_code == 0, result.output
    assert "nothing is logged" in result.stderr and "results themselves are kept" in result.stderr
    assert len(list((tmp_path / "out").glob(f"*/{EXAM_FILE}"))) >= 1
