"""How fast this machine trains: what its earlier runs reached, else a share of what its matrix products reach."""

from __future__ import annotations

import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from medctx.io.cache import cache_folder
from medctx.schemas.records import Record
from medctx_train.config import SftConfig
from medctx_train.model.precision import autocasts, precision

if TYPE_CHECKING:
    from medctx.schemas.sft import SftManifest
    from medctx_train.estimate.model_stats import Outline

REACHED = 0.6
"""The share of its matrix products' speed that training is taken to reach: see DECISIONS.md."""
FEWEST_SECONDS = 20.0
"""Shorter runs are mostly beginning and end, and are not remembered."""
_PROBE_TOKENS, _PROBE_SECONDS = 512, 1.0


class Rate(Record):
    """What one process of a finished run reached, in FLOP/s, and the run it was."""

    machine: str
    base: str
    method: str
    row_tokens: int
    run: str
    seconds: float
    flop_per_second: float


class Speed(Record):
    """FLOP/s that a run is thought to reach, and what the number rests on."""

    flop_per_second: float
    assumed: str


def machine() -> str:
    """What computes here: the GPU, else the processor and how many threads."""
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    name = platform.processor() or platform.machine()
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{name}, {torch.get_num_threads()} threads"


def _file() -> Path:
    return cache_folder() / "training-rates.jsonl"


def remember(config: SftConfig, manifest: SftManifest) -> None:
    """Keep what a finished run reached, for the plans of later ones; a cache that cannot be written keeps nothing."""
    if manifest.seconds < FEWEST_SECONDS:
        return
    rate = Rate(
        machine=machine(),
        base=config.base,
        method=config.method,
        row_tokens=config.row_tokens,
        run=manifest.name,
        seconds=manifest.seconds,
        flop_per_second=manifest.flop_per_second / manifest.processes,
    )
    with suppress(OSError):
        _file().parent.mkdir(parents=True, exist_ok=True)
        with _file().open("a", encoding="utf-8") as stream:
            stream.write(rate.model_dump_json() + "\n")


def recalled(config: SftConfig) -> Rate | None:
    """The last run of the same base and method on this machine, of rows as long where there is one."""
    known: list[Rate] = []
    with suppress(OSError):
        for line in _file().read_text(encoding="utf-8").splitlines():
            with suppress(ValidationError):  # a line torn by a kill
                known.append(Rate.model_validate_json(line))
    here = machine()
    same = [one for one in known if (one.machine, one.base, one.method) == (here, config.base, config.method)]
    # Of equally good ones max takes the first, and the last is wanted.
    return max(reversed(same), key=lambda one: one.row_tokens == config.row_tokens, default=None)


def product_flops(inputs: int, outputs: int, *, half: bool) -> float:
    """FLOP/s of products of this shape with as many tokens as a row has, measured for about a second."""
    import torch

    place = "cuda" if torch.cuda.is_available() else "cpu"
    kind = torch.bfloat16 if half else torch.float32
    tokens = torch.randn(_PROBE_TOKENS, inputs, device=place).to(kind)
    matrix = torch.randn(inputs, outputs, device=place).to(kind)

    def seconds(times: int) -> float:
        begun = time.perf_counter()
        for _ in range(times):
            product = tokens @ matrix
        float(product[0, 0])  # waits for the device
        return time.perf_counter() - begun

    times = 1
    while (took := seconds(times)) < _PROBE_SECONDS / 2:
        times *= 2
    return 2.0 * _PROBE_TOKENS * inputs * outputs * times / took


def speed(config: SftConfig, found: Outline, given: float | None) -> Speed:
    """``given``, else what an earlier run reached here, else a share of what products of the model's width reach."""
    if given is not None:
        return Speed(flop_per_second=given, assumed="as given")
    before = recalled(config)
    if before is not None:
        told = f"what the run {before.run} of the same base and method reached here with rows of {before.row_tokens}"
        return Speed(flop_per_second=before.flop_per_second, assumed=told)
    widths = (found.size.hidden, found.size.intermediate) if found.size else (1024, 4096)
    half = autocasts(config) or precision(config) != "fp32"
    reached = product_flops(*widths, half=half)
    told = f"{REACHED:.0%} of the {reached / 1e9:,.0f} GFLOP/s that matrix products of {widths} reach here now"
    return Speed(flop_per_second=REACHED * reached, assumed=told)
