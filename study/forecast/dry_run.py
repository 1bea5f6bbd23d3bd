"""What a study would do, in words: models, cells, tokens, memory, hours, and which steps are done already. Nothing is
fetched and nothing is run but the exams' own cards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import StringIO
from textwrap import fill

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from medctx.model.sizes import DecoderSize
from medctx.model.training_memory import GIB
from study.config.cells import Cell, short
from study.config.grid import cells as cells_of
from study.config.sections import section
from study.config.study import Section, StudyConfig
from study.forecast import cost
from study.forecast.budget import within
from study.forecast.cost import CellCost
from study.forecast.exam_cost import ExamCost, exam_cost, exam_memory, exams
from study.forecast.sizes import BYTES_FLOAT32, answering_flop, size_of
from study.workflow.commands import SILENT, call

UNKNOWN = "?"
_ITEMS = re.compile(r"^items: (\d+)$", re.MULTILINE)
_GPU = f"on one {cost.GPU_NAME}"
WIDTH = 118
MOST_NAMES = 40
INDENT = " " * 12
CPU_HOURS_SHOWN = 72


def _items(told: Section) -> dict[str, int]:
    """How many items each exam without a limit of its own has, by its card; 0 for those that are built from files."""
    found: dict[str, int] = {}
    for exam in exams(told):
        if not exam.get("limit"):
            name = str(exam.get("exam"))
            card = _ITEMS.search(call(["medctx-eval", "exams", "show", name], SILENT))
            found[name] = int(card[1]) if card else 0
    return found


def _hours(value: float) -> str:
    if value < 1 / 60:
        return "under 1 min"
    return f"{value:,.0f} h" if value >= 10 else f"{value:.1f} h" if value >= 1 else f"{value * 60:.0f} min"


def _round(tokens: int) -> str:
    """15,250,011 as ``15.3 million``."""
    return f"{tokens / 1e6:,.1f} million" if tokens >= 1e6 else f"{tokens:,}"


def _gib(value: float) -> str:
    return f"{value / GIB:,.1f} GiB" if value >= GIB else f"{value / 2**20:,.0f} MiB"


def _billions(parameters: int) -> str:
    return f"{parameters / 1e9:.2f} B" if parameters >= 1e8 else f"{parameters / 1e6:.1f} M"


def _models(config: StudyConfig, sizes: dict[str, DecoderSize | None]) -> Table:
    table = Table(box=SIMPLE_HEAD, title="models", title_justify="left", show_edge=False, pad_edge=False)
    for name in ("label", "id", "parameters", "exam's memory", "notes"):
        numbers = name in {"parameters", "exam's memory"}
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for label in config.labels:
        model, size = config.model(label), sizes[label]
        notes = [
            "" if model.confirmed else "id NOT confirmed",
            f"behind {', '.join(model.urls)}, key in {model.key_variable}" if model.urls else "",
            model.note,
        ]
        known = _billions(size.parameters) if size else "elsewhere" if model.urls else UNKNOWN
        needed = exam_memory(config, label)
        memory = _gib(needed) if needed else "" if model.urls else UNKNOWN
        table.add_row(label, model.id, known, memory, "; ".join(note for note in notes if note))
    return table


def _training(config: StudyConfig, costs: Sequence[CellCost], sizes: dict[str, DecoderSize | None]) -> Table:
    """One line for each base: cells of the same base differ little but in their tokens."""
    table = Table(box=SIMPLE_HEAD, title="training", title_justify="left", show_edge=False, pad_edge=False)
    for name in ("base", "cells", "tokens each", "tokens in all", "trained parameters", "memory", _GPU, "disk"):
        table.add_column(name, justify="left" if name == "base" else "right")
    for label in dict.fromkeys(one.base for one in costs):
        own = [one for one in costs if one.base == label]
        tokens = sorted({one.tokens for one in own})
        each = f"{short(tokens[0])} to {short(tokens[-1])}" if len(tokens) > 1 else f"{tokens[0]:,}"
        flop = sum(one.flop for one in own)
        table.add_row(
            label,
            str(len(own)),
            each,
            f"{sum(one.tokens for one in own):,}",
            _billions(max(one.trained for one in own)) if sizes[label] else UNKNOWN,
            _gib(max(one.memory for one in own)) if sizes[label] else UNKNOWN,
            _hours(cost.hours(flop, cost.gpu_flops())) if sizes[label] else UNKNOWN,
            _gib(sum(one.trained for one in own) * BYTES_FLOAT32) if sizes[label] else UNKNOWN,
        )
    return table


def _exam_lines(config: StudyConfig, told: Section, asked: ExamCost) -> Iterator[str]:
    for exam in exams(told):
        conditions = exam.get("conditions")
        names = ", ".join(map(str, conditions)) if isinstance(conditions, list) else "closed"
        yield f"exam        {exam.get('exam')}: {names}"
    if asked.items:
        yield f"            {asked.items:,} questions and about {_round(asked.tokens)} tokens to compute for each cell"
    if config.twice:
        yield "            untouched models are examined twice, which shows the noise of the exam itself"
    servers = sum(bool(config.model(label).urls) for label in config.labels)
    if asked.items and servers:
        yield (
            f"            to each of {servers} servers about {_round(asked.sent)} tokens are sent, and up to "
            f"{_round(asked.written)} are written: that is what they charge for"
        )


def _cell_names(config: StudyConfig, found: Sequence[Cell]) -> str:
    """What is compared, seeds together, folded under each other."""
    names = list(dict.fromkeys(cell.group for cell in found))
    if len(names) > MOST_NAMES:
        names = [*names[: MOST_NAMES - 1], f"... {names[-1]}"]
    told = ", ".join(names)
    if len(config.seeds) > 1 and any(cell.trained for cell in found):
        told += f"; each trained with seeds {', '.join(map(str, config.seeds))}"
    return fill(told, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)


def _total(training: float, reading: float, known: bool) -> str:
    """Hours of so much arithmetic. ``known``: whether it is all there is."""
    flop = training + reading
    if not flop:
        return "nothing is computed here" if known else "not known: the models' sizes are not"
    gpu, cpu = cost.hours(flop, cost.gpu_flops()), cost.hours(flop, cost.CPU_FLOPS)
    at_least = "" if known else "at least "
    told = f"{at_least}{_hours(gpu)} of one {cost.GPU_NAME} at {cost.GPU_UTILISATION:.0%} of its peak"
    if training and reading and gpu >= 1:
        parts = [_hours(cost.hours(part, cost.gpu_flops())) for part in (training, reading)]
        told += f" ({parts[0]} of training, {parts[1]} of exams)"
    if cpu <= CPU_HOURS_SHOWN:
        told += f"; {_hours(cpu)} of computing on two cores"
    return told


def describe(config: StudyConfig) -> str:
    """Text for a person."""
    config = within(config, keep=False)
    every = cells_of(config)
    trained = [cell for cell in every if cell.trained and not cell.repair]
    sizes = {label: size_of(config.model(label)) for label in config.labels}
    costs = [
        cost.cell_cost(config, cell, size)
        if (size := sizes[cell.base]) is not None
        else CellCost(name=cell.name, base=cell.base, tokens=cost.tokens_of(config, cell), trained=0, memory=0, flop=0)
        for cell in trained
    ]
    told = section(config, "exam")
    asked = exam_cost(told, _items(told))
    computed = asked.tokens + asked.written
    reading = sum(
        answering_flop(size, computed) * (2 if config.twice and not cell.trained else 1)
        for cell in every
        if (size := sizes[cell.base]) is not None
    )
    local = [label for label in config.labels if not config.model(label).urls]
    output = StringIO()
    console = Console(file=output, width=WIDTH, highlight=False)

    def say(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    say(f"study       {config.name}: {config.title}")
    if config.stand_in:
        say(f"stand-in    {config.stand_in} takes the place of every model: its numbers mean nothing for them")
    repaired = sum(bool(cell.repair) for cell in every)
    say(
        f"cells       {len(every)}: {len(every) - len(trained) - repaired} untouched, {len(trained)} trained"
        + (f", {repaired} repaired" if repaired else "")
        + (f" ({config.design} design)" if config.design != "grid" else "")
    )
    say(_cell_names(config, every))
    if config.hours is not None:
        say(f"budget      {config.hours:g} hours of training: {config.tokens:,} for each cell")
    for line in _exam_lines(config, told, asked):
        say(line)
    console.print(_models(config, sizes))
    if costs:
        console.print(_training(config, costs, sizes))
    say(f"total       {_total(sum(one.flop for one in costs), reading, all(sizes[name] for name in local))}")
    done = sorted(folder.name for folder in (config.work / "steps").glob("*-*")) if config.work.is_dir() else []
    say(f"work        {config.work} ({len(done)} step folders; finished steps are not done again)")
    return output.getvalue().rstrip()
