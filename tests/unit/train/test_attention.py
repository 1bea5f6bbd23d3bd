"""The attention implementation a run uses."""

from __future__ import annotations

import pytest
import torch

from medctx.errors import MedctxError
from medctx_train.model import attention
from medctx_train.model.attention import attention_implementation


def test_without_a_gpu_flash_is_refused_and_auto_is_sdpa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert attention_implementation("auto") == attention_implementation("sdpa") == "sdpa"
    with pytest.raises(MedctxError, match="attention=flash needs an NVIDIA GPU"):
        attention_implementation("flash")
    with pytest.raises(MedctxError, match="no gradients on a CPU"):
        attention_implementation("flex")


def test_with_a_gpu_auto_takes_the_package_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(attention, "find_spec", lambda name: name == "flash_attn" or None)
    assert attention_implementation("auto") == attention_implementation("flash") == "flash_attention_2"
    assert attention_implementation("flex") == "flex_attention"
    monkeypatch.setattr(attention, "find_spec", lambda _: None)
    assert attention_implementation("auto") == "sdpa"
    with pytest.raises(MedctxError, match="needs the package flash-attn"):
        attention_implementation("flash")
