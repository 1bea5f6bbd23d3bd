"""What the cells of a study cost: tokens, memory, arithmetic and hours, worked out from sizes before a run."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field, JsonValue

from medctx.decoder import Size
from medctx.records import Record
from medctx.training_memory import Training, linear_layers, training_memory
from study.cells import Cell
from study.config import StudyConfig
from study.plan import recipe
from study.sections import section
from study.sizes import answering_bytes, answering_flop, size_of, training_flop

GPU_NAME, GPU_FLOPS, GPU_UTILISATION = "A100", 312e12, 0.35
"""A GPU hours are told in: its peak in bfloat16 and the share of it that training and prefill are taken to reach."""
CPU_FLOPS = 1.5e11
"""FLOP/s of two cores: 270 tokens/s of SmolLM2-135M with LoRA (DECISIONS.md)."""
TOKENS_AN_EXAMPLE = 250
QUESTION_TOKENS, EVIDENCE_TOKENS = 120, 60
"""A question with its options and a statement of its evidence, in tokens; what exams are taken to ask."""
_TOKENS = re.compile(r":(\d+)")


class CellCost(Record):
    """One trained cell: ``tokens`` seen, ``trained`` parameters, ``memory`` in bytes, ``flop`` of arithmetic."""

    name: str
    base: str
    tokens: int
    trained: int
    memory: int
    flop: float


class ExamCost(Record):
    """The exam of one cell: ``items`` under all Conditions and the ``tokens`` that are computed for them."""

    items: int = Field(ge=0)
    tokens: int = Field(ge=0)


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
    return cell.amount * cell.epochs * _count(epochs, 1) * (TOKENS_AN_EXAMPLE if by_examples else 1)


def training_of(config: StudyConfig, method: str, size: Size) -> Training:
    """How a method trains a model, as far as memory and arithmetic follow from it; defaults are the trainer's."""
    told = recipe(config, method)
    lora = told.get("lora")
    settings = lora if isinstance(lora, dict) else {}
    rank, rows, kind = settings.get("rank", 16), told.get("row_tokens", 512), told.get("method", "lora")
    adapters = 0 if kind == "full" else _count(rank, 16)
    row_tokens = _count(rows, 512)
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


def cell_cost(config: StudyConfig, cell: Cell, size: Size) -> CellCost:
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


def _count(value: JsonValue, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise


def exam_cost(exams: Sequence[JsonValue], items: dict[str, int], *, modes: int = 1, orders: int = 1) -> ExamCost:
    """Items and tokens of all exams of a section. ``items``: how many each exam has, by its name.

    Every Book is computed once, as engines with a prefix cache do; as many items as there are depths share one.
    """
    seats, tokens = 0, 0
    for exam in exams:
        if not isinstance(exam, dict):
            continue
        limits, conditions, depths = exam.get("limits"), exam.get("conditions", ["closed"]), exam.get("depths", 3)
        places = len(depths) if isinstance(depths, list) else _count(depths, 3)
        every = _count(exam.get("limit"), items.get(str(exam.get("exam")), 0))
        for condition in conditions if isinstance(conditions, list) else []:
            name = str(condition)
            asked = min(every, _count(limits.get(name), every)) if isinstance(limits, dict) else every
            length = _TOKENS.search(name)
            books = asked / places * int(length[1]) if length else 0 if name == "closed" else asked * EVIDENCE_TOKENS
            seats += asked
            tokens += round(books + asked * QUESTION_TOKENS * modes * orders)
    return ExamCost(items=seats, tokens=tokens)


def longest(exams: Sequence[JsonValue]) -> int:
    """Tokens of the longest Book asked for, and room for its question."""
    lengths = [EVIDENCE_TOKENS]
    for exam in exams:
        conditions = exam.get("conditions") if isinstance(exam, dict) else None
        found = [_TOKENS.search(str(one)) for one in conditions] if isinstance(conditions, list) else []
        lengths += [int(one[1]) for one in found if one]
    return max(lengths) + 4 * QUESTION_TOKENS


def memory_of(config: StudyConfig, cell: Cell) -> int:
    """Bytes that training a cell is thought to need; 0 where the model's sizes are not known."""
    size = size_of(config.model(cell.base))
    return training_memory(size, training_of(config, cell.method, size)).total if size else 0


def exam_memory(config: StudyConfig, label: str) -> int:
    """Bytes that examining a model is thought to need; 0 where its sizes are not known or it is elsewhere."""
    model = config.model(label)
    size = None if model.urls else size_of(model)
    exams = section(config, "exam").get("exams")
    return answering_bytes(size, longest(exams if isinstance(exams, list) else [])) if size else 0


__all__ = [
    "CPU_FLOPS",
    "GPU_NAME",
    "CellCost",
    "ExamCost",
    "answering_flop",
    "cell_cost",
    "exam_cost",
    "exam_memory",
    "gpu_flops",
    "hours",
    "memory_of",
]
