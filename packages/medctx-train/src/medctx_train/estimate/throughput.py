"""Throughput of training on this machine: what earlier runs reached, else a share of what matrix products reach."""

from __future__ import annotations

import platform
import time
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from medctx.io.cache import cache_folder
from medctx.schemas.records import Record
from medctx.schemas.sft import SftManifest
from medctx_train.model.config import ModelSettings
from medctx_train.model.precision import base_precision, uses_bf16_autocast

SHARE_OF_PRODUCTS = 0.6
"""Throughput of training as a share of the throughput of its matrix products; measured, see DECISIONS.md."""
MIN_SECONDS = 20.0
"""Shorter runs are not recorded: starting and finishing dominate them."""
_SAMPLE_TOKENS, _SAMPLE_SECONDS = 512, 1.0


class ThroughputRecord(Record):
    """FLOP/s that one process of a finished run reached, and which run it was."""

    machine: str
    base: str
    method: str
    row_tokens: int
    run: str
    seconds: float
    flop_per_second: float


class ExpectedThroughput(Record):
    """FLOP/s that a run is expected to reach, and what the number is based on."""

    flop_per_second: float
    assumed: str


def machine_name() -> str:
    """Return the name of the GPU, or of the CPU with its number of threads."""
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    name = platform.processor() or platform.machine()
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{name}, {torch.get_num_threads()} threads"


def _record_file() -> Path:
    return cache_folder() / "training-throughput.jsonl"


def record_throughput(base: str, method: str, row_tokens: int, manifest: SftManifest) -> None:
    """Append the throughput of a finished run to the cache, for later estimates; does nothing if it is not writable."""
    if manifest.seconds < MIN_SECONDS:
        return
    record = ThroughputRecord(
        machine=machine_name(),
        base=base,
        method=method,
        row_tokens=row_tokens,
        run=manifest.name,
        seconds=manifest.seconds,
        flop_per_second=manifest.flop_per_second / manifest.processes,
    )
    with suppress(OSError):
        _record_file().parent.mkdir(parents=True, exist_ok=True)
        with _record_file().open("a", encoding="utf-8") as stream:
            stream.write(record.model_dump_json() + "\n")


def last_record(base: str, method: str, row_tokens: int) -> ThroughputRecord | None:
    """Return the last run of the same base and method on this machine, preferring one with equally long rows."""
    records: list[ThroughputRecord] = []
    with suppress(OSError):
        for line in _record_file().read_text(encoding="utf-8").splitlines():
            with suppress(ValidationError):  # a line that a kill cut short
                records.append(ThroughputRecord.model_validate_json(line))
    here = machine_name()
    same = [record for record in records if (record.machine, record.base, record.method) == (here, base, method)]
    # max returns the first of equal elements, and the last record is wanted.
    return max(reversed(same), key=lambda record: record.row_tokens == row_tokens, default=None)


def product_flops(inputs: int, outputs: int, *, half: bool) -> float:
    """Measure the FLOP/s of matrix products of this shape, with the tokens of a row, for about a second."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if half else torch.float32
    tokens = torch.randn(_SAMPLE_TOKENS, inputs, device=device).to(dtype)
    matrix = torch.randn(inputs, outputs, device=device).to(dtype)

    def measure(repeats: int) -> float:
        begun = time.perf_counter()
        for _ in range(repeats):
            product = tokens @ matrix
        float(product[0, 0])  # waits for the device
        return time.perf_counter() - begun

    repeats = 1
    while (seconds := measure(repeats)) < _SAMPLE_SECONDS / 2:
        repeats *= 2
    return 2.0 * _SAMPLE_TOKENS * inputs * outputs * repeats / seconds


def expected_throughput(
    settings: ModelSettings, row_tokens: int, widths: tuple[int, int], stated: float | None
) -> ExpectedThroughput:
    """Return the throughput a run is expected to reach.

    Args:
        settings: The model section of the config.
        row_tokens: Length of a row.
        widths: Hidden and intermediate size of the model.
        stated: FLOP/s from the user; None to use an earlier run, or a measurement of matrix products.
    """
    if stated is not None:
        return ExpectedThroughput(flop_per_second=stated, assumed="as given")
    earlier = last_record(settings.base, settings.method, row_tokens)
    if earlier is not None:
        assumed = (
            f"reached by the run {earlier.run} of the same base and method on this machine, with rows of "
            f"{earlier.row_tokens} tokens"
        )
        return ExpectedThroughput(flop_per_second=earlier.flop_per_second, assumed=assumed)
    half = uses_bf16_autocast(settings.autocast) or base_precision(settings.method, settings.autocast) != "fp32"
    measured = product_flops(*widths, half=half)
    assumed = (
        f"{SHARE_OF_PRODUCTS:.0%} of the {measured / 1e9:,.0f} GFLOP/s that matrix products of {widths} reach now on "
        "this machine"
    )
    return ExpectedThroughput(flop_per_second=SHARE_OF_PRODUCTS * measured, assumed=assumed)
