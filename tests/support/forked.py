"""Console commands as processes that start at once: forked from one that has imported the libraries and run nothing.

For tests of what a command does. What it imports, and how it starts, is tested with the installed command itself.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

PATIENCE_S = 500
ENTRIES = {
    "medctx-data": "medctx_data.cli.main",
    "medctx-train": "medctx_train.cli",
    "medctx-eval": "medctx_eval.cli.main",
    "study": "study.cli",
}
PYTHON = "python"
LIBRARIES = [
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
    "peft",
    "accelerate",
    "mlflow",
    "medctx_train.sft.run",
    "medctx_eval.run.examine",
]
CLIENT = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as caller:
    caller.connect(sys.argv[1])
    socket.send_fds(caller, [b"x"], [1, 2])
    caller.sendall(json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode())
    caller.shutdown(socket.SHUT_WR)
    sys.exit(int(caller.recv(8) or b"1"))
"""
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(LIBRARIES)


def _main(
    command: Sequence[str], folder: str, environment: Mapping[str, str], outputs: Sequence[str], steps_at: str
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for stream, name in zip((1, 2), outputs, strict=True):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    if steps_at:
        _fork_steps(steps_at)
    name, *arguments = sys.argv = list(command)
    if name == PYTHON:
        option, code, *sys.argv[1:] = arguments
        assert option == "-c"
        exec(compile(code, "command", "exec"), {"__name__": "__main__"})
    else:
        importlib.import_module(ENTRIES[name]).main()


def _fork_steps(address: str) -> None:
    """Let this process, a study, have its commands forked by whoever listens at the address."""
    from study.workflow import commands, job

    def client(arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", CLIENT, address, *arguments]

    commands.tethered = job.tethered = client  # type: ignore[attr-defined]


def start(
    command: Sequence[str],
    folder: Path | str | None = None,
    environment: Mapping[str, str] | None = None,
    outputs: Sequence[str] = (os.devnull, os.devnull),
    steps_at: str = "",
) -> BaseProcess:
    """Start a command in a folder, with an environment.

    Args:
        command: A console command, ``study`` or ``python -c CODE``.
        folder: This process's, where none is given.
        environment: This process's, where none is given.
        outputs: Files that stdout and stderr are written to.
        steps_at: An address of ``steps``: the commands of a study are forked as well.
    """
    values = dict(os.environ if environment is None else environment)
    process = context.Process(target=_main, args=(command, str(folder or Path.cwd()), values, outputs, steps_at))
    process.start()
    return process


def called(
    command: Sequence[str],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    steps_at: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as ``subprocess.run`` does with captured output."""
    with tempfile.TemporaryDirectory() as place:
        outputs = [str(Path(place) / name) for name in ("stdout", "stderr")]
        process = start(command, folder, environment, outputs, steps_at)
        process.join(PATIENCE_S)
        assert process.exitcode is not None, f"{command} runs for longer than {PATIENCE_S} s"
        stdout, stderr = (Path(name).read_text(encoding="utf-8") for name in outputs)
    return subprocess.CompletedProcess(list(command), process.exitcode, stdout, stderr)


def _answer(caller: socket.socket) -> None:
    """Run the command that a client asks for; its outputs are the client's."""
    with caller:
        _, streams, _, _ = socket.recv_fds(caller, 1, 2)
        command, folder, environment = json.loads(b"".join(iter(lambda: caller.recv(1 << 16), b"")))
        try:
            process = start(command, folder, environment, [f"/proc/{os.getpid()}/fd/{stream}" for stream in streams])
            process.join()
        finally:
            for stream in streams:
                os.close(stream)
        caller.sendall(str(process.exitcode).encode())


@contextmanager
def steps() -> Iterator[str]:
    """Fork the commands of studies; yields the address for ``steps_at``."""
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX) as listener:
        address = str(Path(place) / "steps")
        listener.bind(address)
        listener.listen()

        def listen() -> None:
            while True:
                try:
                    caller, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=_answer, args=(caller,), daemon=True).start()

        threading.Thread(target=listen, daemon=True).start()
        try:
            yield address
        finally:
            listener.shutdown(socket.SHUT_RDWR)
