"""Adapters that were never trained but change much, and what models with them say."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

from medctx.io.jsonl import write_text
from medctx.model.base import prepare_base
from medctx.model.identity import model_digest

IDS = torch.arange(40)[None] * 7 % 500


def whole(folder: Path, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    model: torch.nn.Module = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    return model


def adapted(base: Path, adapter: Path) -> torch.nn.Module:
    """The base with the adapter on it, as PEFT applies it: not merged."""
    model: torch.nn.Module = PeftModel.from_pretrained(whole(base), str(adapter)).eval()
    return model


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = model(input_ids=IDS).logits[0].float()
    return result


def gap(first: torch.Tensor, second: torch.Tensor) -> float:
    return float((first - second).abs().max())


def make(base: Path, run: Path, seed: int = 0, **settings: object) -> Path:
    """A run folder as training leaves it, its adapter random; returns the adapter's folder."""
    values: dict[str, object] = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", **settings}
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = get_peft_model(whole(base), LoraConfig(task_type="CAUSAL_LM", **values))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name or "lora_embedding" in name or (weight.requires_grad and name.endswith("bias")):
                weight.normal_(std=0.05)
            elif "magnitude" in name:
                weight.mul_(1 + 0.3 * torch.rand_like(weight))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(run / "adapter")
    record(run, base)
    return run / "adapter"


def record(run: Path, base: Path) -> None:
    """Write the manifest that a training run writes beside its adapter."""
    digest = model_digest(run / "adapter")
    card = prepare_base(str(base))[1].model_dump_json()
    write_text(run / "sft.json", f'{{"weights": "adapter", "weights_digest": "{digest}", "base": {card}, "more": 1}}')
