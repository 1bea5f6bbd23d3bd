"""A PostgreSQL server of its own for a test, from the packages of the system."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.mlflow_pages import free_port


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, newest version first; None where PostgreSQL is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    found = shutil.which("initdb")
    folders = [*debian, *([Path(found).resolve().parent] if found else [])]
    return next((folder for folder in folders if (folder / "pg_ctl").is_file()), None)


def _owner() -> list[str]:
    """The command before those of the server, which refuses to run as root."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    return ["setpriv", f"--reuid={user}", "--clear-groups", f"--regid={pwd.getpwnam(user).pw_gid}"]


@contextmanager
def database() -> Iterator[str]:
    """Run a server in a folder of its own; yields the URI of an empty database as MLflow takes it."""
    found = programs()
    assert found is not None
    before, port = _owner(), free_port()
    # Not in a test's folder, which only its own user may enter.
    folder = Path(tempfile.mkdtemp(prefix="medctx-postgres-"))
    if before:
        shutil.chown(folder, before[1].partition("=")[2])
    data = folder / "data"

    def run(*words: object) -> None:
        subprocess.run([*before, *map(str, words)], check=True, cwd=folder, stdout=subprocess.DEVNULL)

    try:
        run(found / "initdb", "-D", data, "-U", "medctx", "--auth=trust", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run(found / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            run(found / "createdb", "-h", "127.0.0.1", "-p", port, "-U", "medctx", "mlflow")
            yield f"postgresql+psycopg2://medctx@127.0.0.1:{port}/mlflow"
        finally:
            run(found / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
