"""Proxies and certificates of the environment: they are used, or one sentence says what is wrong with them."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from medctx.errors import MedctxError
from medctx.fetch.http import connection_problem, http_client, proxy_for
from medctx.fetch.pinned import RECORD, Remote, fetch

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
SECRET = "Kx3-planted-secret-77"


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"id": "1"}\n')

    def log_message(self, *arguments: object) -> None:
        pass


def _serve(context: ssl.SSLContext | None) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Answer)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server() -> Iterator[str]:
    yield from _serve(None)


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    for url in _serve(context):
        yield url, certificate


@pytest.mark.parametrize("value", ["fd00:1::/32", "[::1]", "127.0.0.1,fd00::1", "::1,localhost", "*"])
def test_ipv6_in_no_proxy_breaks_nothing(value: str, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", value)
    with http_client(server) as client:
        assert client.get(server).text == '{"id": "1"}\n'


def test_the_proxy_of_the_environment_is_used_unless_the_host_is_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example,fd00::/8")
    assert proxy_for("http://outside.example/x") == "http://proxy:3128"
    assert proxy_for("http://inside.example/x") is None
    assert proxy_for("https://outside.example/x") is None


@pytest.mark.parametrize("proxy", ["gopher://proxy:70", f"ftp://user:{SECRET}@proxy"])
def test_a_proxy_that_cannot_be_used_is_one_sentence(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(MedctxError, match=r"proxy .* of the environment cannot be used") as error:
        http_client("http://outside.example")
    assert SECRET not in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_do_not_exist_are_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "/nowhere/certificates")
    with pytest.raises(MedctxError, match=rf"{name} names /nowhere/certificates, which does not exist"):
        http_client("https://outside.example")


def test_a_certificate_file_without_certificates_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    with pytest.raises(MedctxError, match="cannot be read"):
        http_client("https://outside.example")


def test_a_certificate_that_is_not_trusted_is_told_at_once_and_can_be_trusted(
    self_signed: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, certificate = self_signed
    with pytest.raises(MedctxError, match=r"certificate is not trusted; .* set SSL_CERT_FILE"):
        fetch(Remote(url=f"{url}/items.jsonl"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert fetch(Remote(url=f"{url}/items.jsonl")).path.read_bytes() == b'{"id": "1"}\n'


def test_trouble_that_may_pass_is_no_problem_of_the_environment() -> None:
    assert connection_problem(ConnectionResetError("peer")) is None
    assert connection_problem(TimeoutError()) is None


def test_a_key_in_an_address_is_neither_printed_nor_recorded(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remote = Remote(url=server.replace("://", f"://user:{SECRET}@") + f"/items.jsonl?token={SECRET}")
    first = fetch(remote)
    assert fetch(remote) == first
    lines = (tmp_path / "cache" / RECORD).read_text().splitlines()
    assert len(lines) == 1
    everything = capsys.readouterr().err + lines[0] + remote.place + str(first)
    assert SECRET not in everything
