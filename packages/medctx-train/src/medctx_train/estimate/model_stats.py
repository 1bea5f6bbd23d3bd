"""Sizes of a base model and of what is trained of it, from config files alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.model.sizes import DecoderSize, decoder_size
from medctx.model.training_memory import SHORT_ROW, Memory, Trained, Training, training_memory
from medctx_train.checkpoints import adapter as adapters
from medctx_train.data.packing import PackedRow
from medctx_train.model.attention import attention_implementation
from medctx_train.model.config import ModelSettings
from medctx_train.model.lora import add_lora
from medctx_train.model.meta import load_on_meta
from medctx_train.model.precision import base_precision, uses_bf16_autocast
from medctx_train.sft.flops import ModelFlops, model_flops

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class ModelStats:
    """Sizes of a model as a run trains it.

    Attributes:
        size: Sizes of the base; None if its config does not name them as most decoders do.
        trained: The trained parameters, counted on the model's modules.
        flops: What a token costs.
        stored_bytes: Bytes of a weight of the base during training.
        rank: Rank of the adapters; 0 under full fine-tuning.
    """

    size: DecoderSize | None
    trained: Trained
    flops: ModelFlops
    stored_bytes: int
    rank: int


def _layer_shapes(model: torch.nn.Module, *, full: bool) -> list[tuple[int, int]]:
    """Return (inputs, outputs) of every linear layer that is trained or adapted."""
    if not full:
        halves = {name: tuple(weight.shape) for name, weight in model.named_parameters() if ".lora_" in name}
        inputs = [(name, shape[1]) for name, shape in halves.items() if ".lora_A." in name]
        return [(width, halves[name.replace(".lora_A.", ".lora_B.")][0]) for name, width in inputs]
    import torch

    head = model.get_output_embeddings()  # type: ignore[operator]
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear) and module is not head]
    return [(layer.in_features, layer.out_features) for layer in layers]


def _add_adapters(settings: ModelSettings, model: PreTrainedModel) -> tuple[torch.nn.Module, int]:
    """Return the model with the run's adapters, and their rank."""
    if settings.start_adapter is None:
        return add_lora(model, settings.lora, seed=0), settings.lora.rank
    from peft import LoraConfig, PeftConfig, get_peft_model

    lora = PeftConfig.from_pretrained(str(adapters.locate_adapter(settings.start_adapter)))
    assert isinstance(lora, LoraConfig)
    return get_peft_model(model, lora), int(lora.r)


def model_stats(settings: ModelSettings, folder: Path) -> ModelStats:
    """Build the modules of the base in ``folder`` and of the run's adapters without weights, and count them."""
    import torch

    base = load_on_meta(folder)
    config = base.config.get_text_config()
    stored = getattr(config, "dtype", None) or getattr(base.config, "dtype", None) or torch.bfloat16
    size = decoder_size(config.to_dict())
    if size is not None:
        size = size.model_copy(update={"parameters": sum(weight.numel() for weight in base.parameters())})
    full, rank = settings.method == "full", 0
    model: torch.nn.Module = base
    if not full:
        with torch.device("meta"):
            model, rank = _add_adapters(settings, base)
    shapes = _layer_shapes(model, full=full)
    precision = base_precision(settings.method, settings.autocast)
    return ModelStats(
        size=size,
        trained=Trained(
            parameters=sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
            modules=len(shapes),
            inputs=sum(inputs for inputs, _ in shapes),
            outputs=sum(outputs for _, outputs in shapes),
            matrices=sum(inputs * outputs for inputs, outputs in shapes),
        ),
        flops=model_flops(model),
        stored_bytes=4 if precision == "fp32" else stored.itemsize,
        rank=rank,
    )


def estimate_memory(
    settings: ModelSettings, stats: ModelStats, rows: Sequence[PackedRow], *, gpu: bool, at_a_time: int = 1
) -> Memory | None:
    """Return the memory one process needs to train on these rows, of the host or its GPU; None without sizes.

    Args:
        settings: The model section of the config.
        stats: Sizes of the model.
        rows: The rows of the run.
        gpu: True if the model is on a GPU.
        at_a_time: Number of rows that are processed side by side.
    """
    if stats.size is None:
        return None
    row_tokens = max(row.tokens for row in rows)
    autocast = uses_bf16_autocast(settings.autocast)
    sdpa = attention_implementation(settings.attention) == "sdpa"
    # See fuse_lora and use_short_attention.
    bf16_on_cpu = not gpu and settings.method == "lora" and stats.stored_bytes == 2 and autocast
    training = Training(
        trained=stats.trained,
        rank=stats.rank,
        stored_bytes=stats.stored_bytes,
        quantised=settings.method == "qlora",
        dora=settings.lora.use_dora,
        dropout=settings.lora.dropout > 0,
        autocast=autocast,
        fused=bf16_on_cpu and not (settings.lora.use_dora or settings.lora.dropout),
        weights_kept=bf16_on_cpu and sdpa and row_tokens <= SHORT_ROW,
        rows=at_a_time,
        recomputed=settings.gradient_checkpointing,
        masked=sdpa,
        row_tokens=row_tokens,
        loss_tokens=max(1, *(sum(member.loss_tokens for member in row.members) for row in rows)),
        loss_chunk=settings.loss_chunk,
    )
    return training_memory(stats.size, training, gpu=gpu)
