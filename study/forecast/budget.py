"""A budget in hours, as an amount of training data for every cell. Worked out once: a study that goes on keeps it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record, write_record
from medctx.schemas.records import Record
from study.config.cells import Cell
from study.config.grid import cells
from study.config.study import StudyConfig
from study.forecast.cost import CPU_FLOPS, gpu_flops, tokens_of, training_of
from study.forecast.sizes import size_of, training_flop
from study.workflow import manifests

FILE = "budget.json"
FEWEST_TOKENS = 1_000


class Budget(Record):
    """``amount``: what every cell gets, so that all take ``hours``; ``rates``: the tokens/s this rests on, by base, and
    ``measured`` the bases whose rate was measured in the work folder. ``cells``: how many it was shared out over.
    """

    hours: float
    cells: int
    amount: int
    rates: dict[str, float]
    measured: tuple[str, ...]


def measured_rates(work: Path) -> dict[str, float]:
    """Tokens/s of finished training runs in a work folder, the median by base model."""
    found: dict[str, list[float]] = {}
    for file in sorted((work / "steps").glob(f"train-*/{manifests.TRAIN}")):
        run = manifests.read(file, manifests.TrainFile)
        found.setdefault(run.base.name, []).append(run.tokens_per_second)
    return {base: statistics.median(rates) for base, rates in found.items()}


def _rate(config: StudyConfig, label: str, measured: Mapping[str, float]) -> float:
    """Tokens/s of training one base: measured, else from its sizes."""
    model = config.model(label)
    if model.id in measured:
        return measured[model.id]
    size = size_of(model)
    if size is None:
        raise MedctxError(
            f"How fast {label} ({model.id}) is trained is not known, so hours cannot be turned into tokens; give its "
            f"sizes under models.{label}, or tokens instead of hours."
        )
    flops = gpu_flops() if config.executor.gpus else CPU_FLOPS
    return flops / training_flop(size, training_of(config, config.methods[0] if config.methods else "", size), 1)


def work_out(config: StudyConfig, trained: Sequence[Cell], measured: Mapping[str, float]) -> Budget:
    """The amount at which all trained cells, ``workers`` at a time, take the budget's hours."""
    assert config.hours is not None
    labels = dict.fromkeys(cell.base for cell in trained)
    rates = {label: _rate(config, label, measured) for label in labels}
    seconds_per_unit = sum(tokens_of(config, cell) / cell.amount / rates[cell.base] for cell in trained)
    amount = int(config.hours * 3600 * config.executor.workers / seconds_per_unit)
    if amount * tokens_of(config, trained[0]) / trained[0].amount < FEWEST_TOKENS:
        raise MedctxError(
            f"{config.hours:g} hours are too few for {len(trained)} cells: each would get {amount} of training data; "
            "give more hours or fewer cells."
        )
    known = tuple(label for label in labels if config.model(label).id in measured)
    return Budget(
        hours=config.hours,
        cells=len(trained),
        amount=amount,
        rates={label: round(rate, 3) for label, rate in rates.items()},
        measured=known,
    )


def within(config: StudyConfig, *, keep: bool) -> StudyConfig:
    """The study with its hours turned into tokens; as it is where it names no hours. ``keep``: write it down."""
    if config.hours is None:
        return config
    trained = [cell for cell in cells(config) if cell.trained and not cell.repair]
    if not trained:
        return config
    file = config.work / "studies" / config.name / FILE
    budget = read_record(file, Budget) if file.is_file() else None
    if budget is None or (budget.hours, budget.cells) != (config.hours, len(trained)):
        budget = work_out(config, trained, measured_rates(config.work))
        if keep:
            write_record(file, budget)
    return config.model_copy(update={"tokens": budget.amount})
