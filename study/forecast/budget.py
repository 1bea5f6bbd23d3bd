"""A budget in hours, as an amount of training data per cell. Computed once: a study that is continued keeps it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record, write_record
from medctx.schemas.records import Record
from medctx.schemas.sft import SFT_FILE, SftManifest
from study.config.cells import StudyCell
from study.config.grid import cells
from study.config.study import StudyConfig
from study.forecast.model_sizes import size_of
from study.forecast.training_cost import CPU_FLOPS, GPU_FLOPS, GPU_UTILISATION, flop_per_token, tokens_of, training_of

FILE = "budget.json"
FEWEST_TOKENS = 1_000


class Budget(Record):
    """A budget as it was shared out.

    Attributes:
        hours: Time for all training.
        cells: Trained cells it was shared by.
        amount: Training data of each, in the unit of the mix.
        rates: Tokens per second by base.
        measured: Bases whose rate was measured in the work folder.
    """

    hours: float
    cells: int
    amount: int
    rates: dict[str, float]
    measured: tuple[str, ...]


def measured_rates(work: Path) -> dict[str, float]:
    """Tokens per second of finished training runs in a work folder, the median by base model."""
    rates: dict[str, list[float]] = {}
    for file in sorted((work / "steps").glob(f"train-*/{SFT_FILE}")):
        run = read_record(file, SftManifest)
        rates.setdefault(run.base.name, []).append(run.tokens_per_second)
    return {base: statistics.median(values) for base, values in rates.items()}


def _rate(config: StudyConfig, label: str, measured: Mapping[str, float]) -> float:
    """Tokens per second of training one base: measured, else from its sizes."""
    model = config.model(label)
    if model.id in measured:
        return measured[model.id]
    size = size_of(model)
    if size is None:
        raise MedctxError(
            f"How fast {label} ({model.id}) is trained is not known, so hours cannot be turned into tokens; give its "
            f"sizes under models.{label}, or tokens instead of hours."
        )
    flops = GPU_FLOPS * GPU_UTILISATION if config.executor.gpus else CPU_FLOPS
    return flops / flop_per_token(size, training_of(config, config.methods[0] if config.methods else "", size))


def share_out(config: StudyConfig, trained: Sequence[StudyCell], measured: Mapping[str, float]) -> Budget:
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
    return Budget(
        hours=config.hours,
        cells=len(trained),
        amount=amount,
        rates={label: round(rate, 3) for label, rate in rates.items()},
        measured=tuple(label for label in labels if config.model(label).id in measured),
    )


def budget_of(config: StudyConfig) -> Budget | None:
    """The budget of a study, the one it was shared out by before where it has one; None without hours."""
    if config.hours is None:
        return None
    trained = [cell for cell in cells(config) if cell.trained and not cell.repair]
    if not trained:
        return None
    file = config.folder / FILE
    budget = read_record(file, Budget) if file.is_file() else None
    if budget is None or (budget.hours, budget.cells) != (config.hours, len(trained)):
        return share_out(config, trained, measured_rates(config.work))
    return budget


def keep_budget(budget: Budget | None, folder: Path) -> None:
    """Write a budget into the study's folder, so that a study that is continued has the same."""
    if budget is not None:
        write_record(folder / FILE, budget)


def with_budget(config: StudyConfig, budget: Budget | None) -> StudyConfig:
    """The study with its hours turned into tokens; unchanged where it has no budget."""
    return config if budget is None else config.model_copy(update={"tokens": budget.amount})
