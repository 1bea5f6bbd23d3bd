"""Which engine ``auto`` stands for, and that the reason is said."""

from __future__ import annotations

import pytest

from medctx.schemas.records import Mode
from medctx_eval.engines import vllm
from medctx_eval.engines.vllm import VllmConfig
from medctx_eval.run import session
from medctx_eval.run.config import EngineName
from medctx_eval.run.session import choose_engine

TUNED = VllmConfig(max_model_len=4096)


@pytest.mark.parametrize(
    ("engine", "urls", "modes", "config", "gpu", "kind", "reason"),
    [
        ("vllm", (), ("text",), VllmConfig(), False, "vllm", "names it"),
        ("transformers", ("http://a",), ("generate",), VllmConfig(), True, "transformers", "names it"),
        ("auto", ("http://a",), ("text",), VllmConfig(), False, "endpoint", "urls"),
        ("auto", (), ("text",), VllmConfig(), False, "transformers", "without a GPU"),
        (
            "auto",
            (),
            ("text", "text-raw", "text-prior", "letter"),
            VllmConfig(),
            False,
            "transformers",
            "without a GPU",
        ),
        ("auto", (), ("text", "generate"), VllmConfig(), False, "vllm", "several answers"),
        ("auto", (), ("choice",), VllmConfig(), False, "vllm", "several answers"),
        ("auto", (), ("text",), TUNED, False, "vllm", "settings of vLLM"),
        ("auto", (), ("text",), VllmConfig(), True, "vllm", "GPU"),
    ],
)
def test_auto_takes_what_is_faster_for_the_modes_and_the_machine(
    engine: EngineName,
    urls: tuple[str, ...],
    modes: tuple[Mode, ...],
    config: VllmConfig,
    gpu: bool,
    kind: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vllm, "installed", lambda _: True)
    monkeypatch.setattr(session, "find_spec", lambda _: True)
    monkeypatch.setattr(session, "has_no_accelerator", lambda: not gpu)
    choice = choose_engine(engine, urls, modes, config)
    assert choice.kind == kind and reason in choice.reason


@pytest.mark.parametrize(("missing", "kind"), [("vllm", "transformers"), ("transformers", "vllm"), ("torch", "vllm")])
def test_auto_takes_what_is_installed(missing: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "installed", lambda _: missing != "vllm")
    monkeypatch.setattr(session, "find_spec", lambda name: None if name == missing else True)
    assert choose_engine("auto", (), ("text",), VllmConfig()).kind == kind
