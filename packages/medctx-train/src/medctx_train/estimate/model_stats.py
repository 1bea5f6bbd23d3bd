"""What a run trains, known from config files alone: sizes and shapes of the base and of what is put on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.model.sizes import Size, of_config
from medctx.model.training_memory import Memory, Trained, Training, training_memory
from medctx_train.checkpoints import adapter as adapters
from medctx_train.config import SftConfig
from medctx_train.data.packing import Row
from medctx_train.model.attention import implementation
from medctx_train.model.lora import add_lora
from medctx_train.model.meta import empty
from medctx_train.model.precision import autocasts, precision
from medctx_train.sft.flops import Work, work_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Outline:
    """``size`` of the base (nothing where its config names its sizes otherwise than most decoders do); what is
    ``trained``, counted on its modules; the ``work`` a token costs; in how many bytes a number of the base is
    ``stored`` while training, and the ``rank`` of its adapters, 0 under full fine-tuning.
    """

    size: Size | None
    trained: Trained
    work: Work
    stored: int
    rank: int


def _shapes(model: torch.nn.Module, full: bool) -> list[tuple[int, int]]:
    """Widths read and written by every linear layer that is trained or adapted."""
    if not full:
        halves = {name: tuple(weight.shape) for name, weight in model.named_parameters() if ".lora_" in name}
        firsts = [(name, shape[1]) for name, shape in halves.items() if ".lora_A." in name]
        return [(read, halves[name.replace(".lora_A.", ".lora_B.")][0]) for name, read in firsts]
    import torch

    head = model.get_output_embeddings()  # type: ignore[operator]
    layers = [one for one in model.modules() if isinstance(one, torch.nn.Linear) and one is not head]
    return [(one.in_features, one.out_features) for one in layers]


def _adapted(config: SftConfig, model: PreTrainedModel) -> tuple[torch.nn.Module, int]:
    """The model with the run's adapters on it, and their rank."""
    if config.start_adapter is None:
        return add_lora(model, config.lora, config.seed), config.lora.rank
    from peft import LoraConfig, PeftConfig, get_peft_model

    settings = PeftConfig.from_pretrained(str(adapters.locate(config.start_adapter)))
    assert isinstance(settings, LoraConfig)
    return get_peft_model(model, settings), int(settings.r)


def outline(config: SftConfig, folder: Path) -> Outline:
    """The modules of the base in ``folder`` and of the run's adapters, made without a weight."""
    import torch

    base = empty(folder)
    settings = base.config.get_text_config()
    stored = getattr(settings, "dtype", None) or getattr(base.config, "dtype", None) or torch.bfloat16
    size = of_config(settings.to_dict())
    if size is not None:
        size = size.model_copy(update={"parameters": sum(weight.numel() for weight in base.parameters())})
    full, rank = config.method == "full", 0
    model: torch.nn.Module = base
    if not full:
        with torch.device("meta"):
            model, rank = _adapted(config, base)
    shapes = _shapes(model, full)
    return Outline(
        size=size,
        trained=Trained(
            parameters=sum(weight.numel() for weight in model.parameters() if weight.requires_grad),
            modules=len(shapes),
            inputs=sum(read for read, _ in shapes),
            outputs=sum(written for _, written in shapes),
            matrices=sum(read * written for read, written in shapes),
        ),
        work=work_of(model),
        stored=4 if precision(config) == "fp32" else stored.itemsize,
        rank=rank,
    )


def memory(config: SftConfig, found: Outline, rows: Sequence[Row], *, gpu: bool) -> Memory | None:
    """What one process needs to train on these rows, of the host or of its GPU."""
    if found.size is None:
        return None
    training = Training(
        trained=found.trained,
        rank=found.rank,
        stored_bytes=found.stored,
        quantised=config.method == "qlora",
        dora=config.lora.use_dora,
        dropout=config.lora.dropout > 0,
        autocast=autocasts(config),
        recomputed=config.gradient_checkpointing,
        masked=implementation(config.attention) == "sdpa",
        row_tokens=max(row.tokens for row in rows),
        loss_tokens=max(1, *(sum(one.loss_tokens for one in row.members) for row in rows)),
        loss_chunk=config.loss_chunk,
    )
    return training_memory(found.size, training, gpu=gpu)
