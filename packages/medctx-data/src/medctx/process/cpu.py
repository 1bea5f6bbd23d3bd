"""Whether this machine has an accelerator, and whether its processor is fast in bfloat16; without importing torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_CPU_FLAGS = Path("/proc/cpuinfo")
_BFLOAT16_FLAGS = frozenset({"avx512bw", "avx512_bf16", "amx_bf16", "avx_ne_convert", "bf16"})


def has_no_accelerator() -> bool:
    """Return whether this machine has no accelerator that torch or vLLM would use."""
    return not any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd"))


def supports_bfloat16(cpuinfo: str) -> bool:
    """Return whether a processor, by its ``/proc/cpuinfo``, computes in bfloat16 instead of converting each number."""
    fields = [line.partition(":") for line in cpuinfo.splitlines()]
    flags = {flag for name, _, flags in fields if name.strip() in {"flags", "Features"} for flag in flags.split()}
    return not flags or bool(flags & _BFLOAT16_FLAGS)


@cache
def bfloat16_is_slow() -> bool:
    """Return whether bfloat16 is slower than float32 here: the processor only converts it."""
    try:
        return has_no_accelerator() and not supports_bfloat16(_CPU_FLAGS.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False
