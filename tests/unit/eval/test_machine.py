"""In which precision a machine computes well."""

from __future__ import annotations

import pytest

from medctx.process import cpu as processor
from medctx_eval.run.config import in_float32

LINES = "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu sse2 {}\npower management:\n"


@pytest.mark.parametrize(
    ("cpuinfo", "knows"),
    [
        (LINES.format("avx2 fma f16c"), False),
        (LINES.format("avx2 avx512f avx512bw"), True),
        (LINES.format("avx2 avx512bw avx512_bf16 amx_bf16"), True),
        ("processor\t: 0\nFeatures\t: fp asimd asimdhp\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd bf16 i8mm\n", True),
        ("processor\t: 0\n", True),
    ],
    ids=["AVX2", "AVX-512", "with bfloat16", "ARM", "ARM with bfloat16", "says nothing"],
)
def test_a_processor_is_known_by_its_flags(cpuinfo: str, knows: bool) -> None:
    assert processor.supports_bfloat16(cpuinfo) is knows


@pytest.mark.parametrize("slow", [True, False])
def test_auto_is_float32_only_where_halves_are_slow(monkeypatch: pytest.MonkeyPatch, slow: bool) -> None:
    monkeypatch.setattr(processor, "bfloat16_is_slow", lambda: slow)
    assert in_float32("auto") is slow
    assert in_float32("float32")
    assert not in_float32("stored")


CPU = "processor\t: 0\nmodel name\t: A Processor 9000\nflags\t\t: fpu avx2 avx512f sse2\n"
GPU = "Model: \t\t An Accelerator\nIRQ:   \t\t 18\n"


@pytest.mark.parametrize(
    ("cpuinfo", "accelerators", "name"),
    [
        (CPU, [], "A Processor 9000 (avx2 avx512f)"),
        (CPU, [GPU, GPU], "2 x An Accelerator"),
        ("processor\t: 0\nCPU part\t: 0xd0c\nFeatures\t: fp asimd bf16\n", [], "0xd0c (bf16)"),
        ("", [], ""),
    ],
    ids=["processor", "accelerators", "ARM", "says nothing"],
)
def test_hardware_is_named_by_what_computes(cpuinfo: str, accelerators: list[str], name: str) -> None:
    assert processor.hardware_of(cpuinfo, accelerators) == name
