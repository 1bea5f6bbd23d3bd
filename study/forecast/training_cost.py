"""Tokens, memory and arithmetic of training a study's cells, from model sizes before anything is at hand.

``medctx-train estimate`` measures more exactly, and needs the mix and the base; see DECISIONS.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from medctx.model.sizes import DecoderSize
from medctx.model.training_memory import Training, linear_layers, training_memory
from medctx.schemas.records import Record
from study.config.cells import StudyCell
from study.config.sections import recipe, section
from study.config.study import Section, StudyConfig
from study.forecast.model_sizes import size_of

GPU_NAME, GPU_FLOPS, GPU_UTILISATION = "A100", 312e12, 0.35
"""The GPU that hours are stated for: its bfloat16 peak and the fraction of it that training is assumed to reach."""
CPU_FLOPS = 1.5e11
"""FLOP/s of two cores: 270 tokens/s of SmolLM2-135M with LoRA (DECISIONS.md)."""
TOKENS_PER_EXAMPLE = 250


class CellCost(Record):
    """One trained cell: ``tokens`` seen, ``trained`` parameters, ``memory`` in bytes, ``flop`` of arithmetic."""

    name: str
    base: str
    tokens: int
    trained: int = 0
    memory: int = 0
    flop: float = 0.0


def gpu_hours(flop: float) -> float:
    """Hours on the GPU that hours are stated for."""
    return flop / (GPU_FLOPS * GPU_UTILISATION) / 3600


def cpu_hours(flop: float) -> float:
    """Hours on two cores."""
    return flop / CPU_FLOPS / 3600


def _number(keys: Section, key: str, default: int) -> int:
    value = keys.get(key)
    return value if isinstance(value, int) else default


def _tokens_per_amount(config: StudyConfig, method: str) -> int:
    """Trained tokens for each unit of a cell's amount; an example is assumed to have ``TOKENS_PER_EXAMPLE``."""
    by_examples = section(config, "mix").get("by") == "examples"
    return _number(recipe(config, method), "epochs", 1) * (TOKENS_PER_EXAMPLE if by_examples else 1)


def tokens_of(config: StudyConfig, cell: StudyCell) -> int:
    """Trained tokens of a cell."""
    return cell.amount * cell.epochs * _tokens_per_amount(config, cell.method)


def training_of(config: StudyConfig, method: str, size: DecoderSize) -> Training:
    """How a method trains a model, as far as memory and arithmetic follow from it; defaults are the trainer's."""
    keys = recipe(config, method)
    lora = keys.get("lora")
    lora = lora if isinstance(lora, dict) else {}
    kind = keys.get("method", "lora")
    rank = 0 if kind == "full" else _number(lora, "rank", 16)
    row_tokens = _number(keys, "row_tokens", 512)
    return Training(
        trained=linear_layers(size, rank, every=lora.get("targets", "all-linear") == "all-linear"),
        rank=rank,
        quantised=kind == "qlora",
        dora=bool(lora.get("use_dora", False)),
        dropout=bool(lora.get("dropout", 0)),
        recomputed=bool(keys.get("gradient_checkpointing", False)),
        row_tokens=row_tokens,
        loss_tokens=row_tokens,
    )


def flop_per_token(size: DecoderSize, training: Training) -> float:
    """2 FLOP per parameter forward, as much backward for the activations and for each trained parameter.

    Kaplan et al. 2020, arXiv 2001.08361, section 2.1.
    """
    share = training.trained.parameters / size.parameters
    return (4 + 2 * share + (2 if training.recomputed else 0)) * size.parameters


class _MethodCost(Record):
    """What all cells of one base and method share."""

    trained: int
    memory: int
    flop_per_token: float


def _method_cost(config: StudyConfig, base: str, method: str) -> _MethodCost | None:
    size = size_of(config.model(base))
    if size is None:
        return None
    training = training_of(config, method, size)
    return _MethodCost(
        trained=training.trained.parameters,
        memory=training_memory(size, training).total,
        flop_per_token=flop_per_token(size, training),
    )


def cell_costs(config: StudyConfig, cells: Sequence[StudyCell]) -> list[CellCost]:
    """What training each cell takes; only tokens where the model's sizes are not known."""
    kinds = dict.fromkeys((cell.base, cell.method) for cell in cells)
    shared = {(base, method): _method_cost(config, base, method) for base, method in kinds}
    per_amount = {method: _tokens_per_amount(config, method) for _, method in kinds}
    costs = []
    for cell in cells:
        tokens = cell.amount * cell.epochs * per_amount[cell.method]
        cost = CellCost(name=cell.name, base=cell.base, tokens=tokens)
        if (of_method := shared[cell.base, cell.method]) is not None:
            update = {
                "trained": of_method.trained,
                "memory": of_method.memory,
                "flop": of_method.flop_per_token * tokens,
            }
            cost = cost.model_copy(update=update)
        costs.append(cost)
    return costs


def cell_cost(config: StudyConfig, cell: StudyCell) -> CellCost:
    """What training one cell takes; only tokens where the model's sizes are not known."""
    return cell_costs(config, [cell])[0]


def training_memory_of(config: StudyConfig, cell: StudyCell) -> int:
    """Peak memory of training a cell in bytes; 0 where the model's sizes are not known."""
    return cell_cost(config, cell).memory
