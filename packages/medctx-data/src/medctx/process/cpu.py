"""What this machine computes with, and whether its processor is fast in bfloat16; without importing torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

_CPU_FLAGS = Path("/proc/cpuinfo")
_NVIDIA = Path("/proc/driver/nvidia/gpus")
_ARITHMETIC_FLAGS = frozenset({"avx2", "avx512f", "avx512_bf16", "amx_bf16", "bf16"})
"""Instructions that change in which order and precision sums are computed."""
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


def hardware_of(cpuinfo: str, accelerators: Sequence[str] = ()) -> str:
    """Name of what computes: the accelerators (``Model:`` of each), else the processor and its fast number formats.

    Args:
        cpuinfo: Content of ``/proc/cpuinfo``.
        accelerators: Content of the ``information`` file of each accelerator.
    """
    models = [
        value.strip()
        for information in accelerators
        for name, _, value in (line.partition(":") for line in information.splitlines())
        if name.strip() == "Model"
    ]
    if models:
        return ", ".join(f"{models.count(model)} x {model}" for model in dict.fromkeys(models))
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in cpuinfo.splitlines())}
    name = fields.get("model name") or fields.get("CPU part", "")
    flags = sorted(_ARITHMETIC_FLAGS & {*fields.get("flags", "").split(), *fields.get("Features", "").split()})
    return f"{name} ({' '.join(flags)})" if name and flags else name


@cache
def hardware() -> str:
    """``hardware_of`` this machine; empty if it cannot be read."""
    try:
        cpuinfo = _CPU_FLAGS.read_text(encoding="utf-8", errors="replace")
        accelerators = [file.read_text(errors="replace") for file in sorted(_NVIDIA.glob("*/information"))]
    except OSError:
        return ""
    return hardware_of(cpuinfo, accelerators)
