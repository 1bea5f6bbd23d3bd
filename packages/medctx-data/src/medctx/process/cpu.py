"""What the machine at hand computes on, and whether it is quick in half precision; known without importing torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_CPU_FLAGS = Path("/proc/cpuinfo")
_KNOWS_HALVES = frozenset({"avx512bw", "avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})


def on_cpu() -> bool:
    """Whether this machine has no accelerator that torch or vLLM would use."""
    return not any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd"))


def knows_halves(cpuinfo: str) -> bool:
    """Whether a processor, by its ``/proc/cpuinfo``, computes in half precision other than by single conversions."""
    named = [line.partition(":") for line in cpuinfo.splitlines()]
    flags = {flag for name, _, flags in named if name.strip() in {"flags", "Features"} for flag in flags.split()}
    return not flags or bool(flags & _KNOWS_HALVES)


@cache
def slow_at_halves() -> bool:
    """Whether bfloat16 is slower than float32 here: a processor that only converts it."""
    try:
        return on_cpu() and not knows_halves(_CPU_FLAGS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False
