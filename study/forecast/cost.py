"""What training a study's cells costs: tokens, memory, arithmetic and hours, worked out from sizes before a run."""

from __future__ import annotations

from medctx.model.sizes import DecoderSize
from medctx.model.training_memory import Training, linear_layers, training_memory
from medctx.schemas.records import Record
from study.config.cells import Cell
from study.config.sections import section
from study.config.study import StudyConfig
from study.forecast.exam_cost import count
from study.forecast.sizes import size_of, training_flop
from study.stages.cell_steps import recipe

GPU_NAME, GPU_FLOPS, GPU_UTILISATION = "A100", 312e12, 0.35
"""A GPU hours are told in: its peak in bfloat16 and the share of it that training and prefill are taken to reach."""
CPU_FLOPS = 1.5e11
"""FLOP/s of two cores: 270 tokens/s of SmolLM2-135M with LoRA (DECISIONS.md)."""
TOKENS_AN_EXAMPLE = 250


class CellCost(Record):
    """One trained cell: ``tokens`` seen, ``trained`` parameters, ``memory`` in bytes, ``flop`` of arithmetic."""

    name: str
    base: str
    tokens: int
    trained: int
    memory: int
    flop: float


def hours(flop: float, flops: float) -> float:
    """Hours at so many FLOP/s."""
    return flop / flops / 3600


def gpu_flops() -> float:
    """FLOP/s that are taken to be reached on the GPU hours are told in."""
    return GPU_FLOPS * GPU_UTILISATION


def tokens_of(config: StudyConfig, cell: Cell) -> int:
    """Trained tokens of a cell; examples are taken to be of a usual length."""
    by_examples = section(config, "mix").get("by") == "examples"
    epochs = recipe(config, cell.method).get("epochs", 1)
    return cell.amount * cell.epochs * count(epochs, 1) * (TOKENS_AN_EXAMPLE if by_examples else 1)


def training_of(config: StudyConfig, method: str, size: DecoderSize) -> Training:
    """How a method trains a model, as far as memory and arithmetic follow from it; defaults are the trainer's."""
    told = recipe(config, method)
    lora = told.get("lora")
    settings = lora if isinstance(lora, dict) else {}
    rank, rows, kind = settings.get("rank", 16), told.get("row_tokens", 512), told.get("method", "lora")
    adapters = 0 if kind == "full" else count(rank, 16)
    row_tokens = count(rows, 512)
    return Training(
        trained=linear_layers(size, adapters, every=settings.get("targets", "all-linear") == "all-linear"),
        rank=adapters,
        quantised=kind == "qlora",
        dora=bool(settings.get("use_dora", False)),
        dropout=bool(settings.get("dropout", 0)),
        recomputed=bool(told.get("gradient_checkpointing", False)),
        row_tokens=row_tokens,
        loss_tokens=row_tokens,
    )


def cell_cost(config: StudyConfig, cell: Cell, size: DecoderSize) -> CellCost:
    """What training one cell takes."""
    training, tokens = training_of(config, cell.method, size), tokens_of(config, cell)
    return CellCost(
        name=cell.name,
        base=cell.base,
        tokens=tokens,
        trained=training.trained.parameters,
        memory=training_memory(size, training).total,
        flop=training_flop(size, training, tokens),
    )


def memory_of(config: StudyConfig, cell: Cell) -> int:
    """Bytes that training a cell is thought to need; 0 where the model's sizes are not known."""
    size = size_of(config.model(cell.base))
    return training_memory(size, training_of(config, cell.method, size)).total if size else 0
