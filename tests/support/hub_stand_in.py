"""A small stand-in of a hub of data sets and models: files at revisions as ``hf_hub_download`` and the library
``datasets`` ask for them, and plain ones.

``hub.commit("owner/name", {"a.jsonl": b"..."})`` publishes; ``GET`` and ``HEAD`` of
``/datasets/<repo>/resolve/<revision>/<file>`` serve it, in ranges too; ``/api/datasets/<repo>`` lists it with the head
of its README.md, ``.../tree/<revision>/<folder>`` a folder of it, ``POST .../paths-info/<revision>`` some paths; models
without the ``datasets`` and under ``/api/models``. Files in ``plain`` are served under their path. ``troubles`` come
first, one a request: a status to answer, or ``CUT`` to break off half-way.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote

import yaml

CUT = -1
MAIN = "main"


class Hub(ThreadingHTTPServer):
    """Data sets by name, each a line of commits; ``gated`` names those that want a token."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, dict[str, dict[str, bytes]]] = {}
        self.plain: dict[str, bytes] = {}
        self.gated: set[str] = set()
        self.troubles: list[int] = []
        self.request_lines: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, repo: str, files: dict[str, bytes]) -> str:
        """Publish files as the newest commit of ``repo`` and return its hash."""
        commits = self.repos.setdefault(repo, {})
        content = json.dumps([repo, len(commits), {name: body.hex() for name, body in files.items()}])
        name = hashlib.sha1(content.encode()).hexdigest()
        commits[name] = files
        return name

    def resolve(self, repo: str, revision: str) -> str | None:
        """The commit a revision of ``repo`` means."""
        commits = self.repos.get(repo, {})
        return list(commits)[-1] if revision == MAIN and commits else revision if revision in commits else None

    def count(self, method: str) -> int:
        """Requests of one method that reached the server."""
        return sum(line.startswith(f"{method} ") for line in self.request_lines)


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def _send(self, status: int, body: bytes, headers: dict[str, str], cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def _answer(self) -> None:
        path = unquote(self.path.partition("?")[0])
        with self.server.lock:
            self.server.request_lines.append(f"{self.command} {path}")
            trouble = self.server.troubles.pop(0) if self.server.troubles else 0
        if trouble == CUT and self.command == "HEAD":
            self.close_connection = True
        elif trouble > 0:
            self._send(trouble, b"trouble", {})
        elif path in self.server.plain:
            self._send(200, self.server.plain[path], {}, cut=trouble == CUT)
        elif path.startswith("/datasets/"):
            repo, _, rest = path.removeprefix("/datasets/").partition("/resolve/")
            self._file(repo, *rest.split("/", 1), cut=trouble == CUT)
        elif path.startswith("/api/") and "/tree/" in path:
            repo, _, rest = path.split("/", 3)[3].partition("/tree/")
            self._tree(repo, *rest.split("/", 1))
        elif path.startswith("/api/") and "/paths-info/" in path:
            self._paths(*path.split("/", 3)[3].split("/paths-info/"))
        elif path.startswith(("/api/datasets/", "/api/models/")):
            self._listing(*path.split("/", 3)[3].split("/revision/"))
        elif "/resolve/" in path:
            repo, _, rest = path[1:].partition("/resolve/")
            self._file(repo, *rest.split("/", 1), cut=trouble == CUT)
        else:
            self._send(404, b"", {})

    def _found(self, repo: str, revision: str) -> str | None:
        """The commit asked for; where there is none, or it is not to be seen, the refusal has been sent."""
        commit = self.server.resolve(repo, revision)
        if repo not in self.server.repos:
            self._refuse(401, "RepoNotFound")
        elif repo in self.server.gated and not self.headers.get("Authorization"):
            self._refuse(401, "GatedRepo")
        elif commit is None:
            self._refuse(404, "RevisionNotFound")
        else:
            return commit
        return None

    def _file(self, repo: str, revision: str, file: str, *, cut: bool) -> None:
        commit = self._found(repo, revision)
        if commit is None:
            return
        body = self.server.repos[repo][commit].get(file)
        if body is None:
            self._refuse(404, "EntryNotFound")
            return
        begin, _, end = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        first, after = int(begin), min(int(end or len(body)) + 1, len(body))
        headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if "Range" in self.headers:
            headers["Content-Range"] = f"bytes {first}-{after - 1}/{len(body)}"
        self._send(206 if "Range" in self.headers else 200, body[first:after], headers, cut=cut)

    def _json(self, content: object, commit: str) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json", "X-Repo-Commit": commit})

    def _listing(self, repo: str, revision: str = MAIN) -> None:
        commit = self._found(repo, revision)
        if commit is None:
            return
        files = self.server.repos[repo][commit]
        head = files.get("README.md", b"").decode().split("---\n")
        card = yaml.safe_load(head[1]) if len(head) > 2 else None
        listing: dict[str, object] = {"id": repo, "sha": commit, "private": False, "tags": [], "gated": False}
        self._json(listing | {"siblings": [{"rfilename": name} for name in files], "cardData": card}, commit)

    def _entries(self, repo: str, commit: str) -> dict[str, dict[str, object]]:
        """Everything of a commit by path: files, and the folders they lie in."""
        results: dict[str, dict[str, object]] = {}
        for name, body in self.server.repos[repo][commit].items():
            for end in (place for place, sign in enumerate(name) if sign == "/"):
                folder = name[:end]
                results[folder] = {"type": "directory", "path": folder, "size": 0, "oid": hashlib.sha1(b"").hexdigest()}
            oid = hashlib.sha1(body).hexdigest()
            results[name] = {"type": "file", "path": name, "size": len(body), "oid": oid}
        return results

    def _tree(self, repo: str, revision: str, folder: str = "") -> None:
        commit = self._found(repo, revision)
        if commit is None:
            return
        entries = self._entries(repo, commit)
        if folder and folder not in entries:
            self._refuse(404, "EntryNotFound")
            return
        start = f"{folder}/" if folder else ""
        deep = parse_qs(self.path.partition("?")[2]).get("recursive") in (["true"], ["True"])
        inside = {name: entry for name, entry in entries.items() if name.startswith(start)}
        self._json([listed for name, listed in inside.items() if deep or "/" not in name.removeprefix(start)], commit)

    def _paths(self, repo: str, revision: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        commit = self._found(repo, revision)
        if commit is None:
            return
        data = json.loads(body) if body.startswith("{") else parse_qs(body)
        entries = self._entries(repo, commit)
        self._json([entries[name] for name in data["paths"] if name in entries], commit)

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output quiet."""


@contextmanager
def hub() -> Iterator[Hub]:
    """A running stand-in."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
