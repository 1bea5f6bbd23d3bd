"""How fast an exam asks a server that answers at once, and what its memory does: 100,000 requests by default.

    python -m bench.scale.exam_load [--requests 100000] [--books 20000] [--concurrency 32] [--json FILE]

The server is a process of its own that answers every chat request with the same text. Every Book has five questions.
Exits with 1 below 500 requests a second, or if memory grows by more than 1 KiB a request between the first tenth and
the last request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from medctx.io.jsonl import write_text
from medctx_eval.exams.config import ExamConfig
from medctx_eval.run import examine, runner
from medctx_eval.run.config import ModelConfig, RunConfig

LEAST_PER_SECOND = 500.0
MOST_BYTES_PER_REQUEST = 1024
_LIST = {"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 100_000}]}
_ANSWER = {
    "id": "x",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "The answer is B."}, "finish_reason": "stop"}],
}


def _page(body: object, status: str = "200 OK") -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


async def _answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pages = {b"GET /v1/models": _page(_LIST), b"POST /v1/chat/completions": _page(_ANSWER)}
    missing = _page({"error": "no such route"}, "404 Not Found")
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(
                (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
            )
            await reader.readexactly(size)
            route = head.partition(b" HTTP/")[0]
            writer.write(pages.get(route, missing))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def _serve(address: Connection) -> None:
    async def run() -> None:
        server = await asyncio.start_server(_answer_all, "127.0.0.1", 0)
        address.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def fast_server() -> Iterator[str]:
    """A server in a process of its own; yields its address."""
    receiver, sender = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(sender,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}"
    finally:
        process.kill()
        process.join()


def write_exam(file: Path, requests: int, books: int) -> Path:
    """Questions with four options, spread over the Books."""
    rows = (
        {
            "id": f"i{number}",
            "question": f"Question {number}?",
            "options": {letter: f"option {letter} of {number}" for letter in "ABCD"},
            "answer": "B",
            "context": f"Book {number % books}. " + "It says that the answer is B. " * 20,
        }
        for number in range(requests)
    )
    write_text(file, "".join(json.dumps(row) + "\n" for row in rows))
    return file


def _memory() -> int:
    """Resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Sampler:
    """Notes time, answers and resident memory twice a second while an exam runs."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, int, int]] = []
        self._answers, self._stop = 0, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        stored = runner._reply

        def counted(*arguments: object) -> object:
            self._answers += 1
            return stored(*arguments)  # type: ignore[arg-type]

        runner._reply = counted  # type: ignore[assignment]

    def _sample(self) -> None:
        while not self._stop.wait(0.5):
            self.samples.append((time.monotonic(), self._answers, _memory()))

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def measure(requests: int, books: int, concurrency: int) -> dict[str, float]:
    """Run one exam; returns requests a second, memory at the first tenth, at the last request and at the end."""
    with tempfile.TemporaryDirectory() as scratch, fast_server() as url, Sampler() as sampler:
        config = RunConfig(
            models=(ModelConfig(name="m"),),
            exams=(
                ExamConfig(
                    exam="file", items=write_exam(Path(scratch) / "items.jsonl", requests, books), conditions=("gold",)
                ),
            ),
            engine="endpoint",
            urls=(url,),
            tokenizer="bytes",
            mode="generate",
            concurrency=concurrency,
        )
        begun = time.monotonic()
        examine.examine(config, Path(scratch) / "out")
        whole = time.monotonic() - begun
    asked = [sample for sample in sampler.samples if 0 < sample[1] < requests]
    tenth = next(sample for sample in asked if sample[1] >= requests / 10)
    last = asked[-1]
    return {
        "requests": requests,
        "requests_per_second": (last[1] - asked[0][1]) / (last[0] - asked[0][0]),
        "seconds_with_plan_and_verdicts": whole,
        "memory_at_a_tenth_mib": tenth[2] / 2**20,
        "memory_at_the_last_mib": last[2] / 2**20,
        "bytes_per_request": (last[2] - tenth[2]) / (last[1] - tenth[1]),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--books", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    result = measure(args.requests, args.books, args.concurrency)
    for name, value in result.items():
        print(f"{name:32} {value:>12,.1f}")
    if args.json:
        write_text(args.json, json.dumps(result, indent=2) + "\n")
    if result["requests_per_second"] < LEAST_PER_SECOND or result["bytes_per_request"] > MOST_BYTES_PER_REQUEST:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
