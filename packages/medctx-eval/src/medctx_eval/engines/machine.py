"""What the machine at hand computes on, and in which precision it does so well."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

Precision = Literal["auto", "stored", "float32"]
"""``stored``: as the model is stored (what vLLM makes of that); ``float32``: the same weights, computed in float32;
``auto``: float32 on a processor that knows no half precision, where it is faster and more exact, else as stored.
"""

_CPU_FLAGS = Path("/proc/cpuinfo")
_KNOWS_HALVES = frozenset({"avx512bw", "avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})


def on_cpu() -> bool:
    """Whether this machine has no accelerator that vLLM would use."""
    return not any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd"))


def knows_halves(cpuinfo: str) -> bool:
    """Whether a processor, by its ``/proc/cpuinfo``, computes in half precision other than by single conversions."""
    named = [line.partition(":") for line in cpuinfo.splitlines()]
    flags = {flag for name, _, flags in named if name.strip() in {"flags", "Features"} for flag in flags.split()}
    return not flags or bool(flags & _KNOWS_HALVES)


@cache
def _slow_at_halves() -> bool:
    try:
        return on_cpu() and not knows_halves(_CPU_FLAGS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False


def in_float32(precision: Precision) -> bool:
    """Whether a model is computed in float32 here."""
    return precision == "float32" or (precision == "auto" and _slow_at_halves())
