"""What a study would do, as text: models, cells, tokens, memory, hours and finished steps. Nothing is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from textwrap import fill

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from medctx.model.sizes import DecoderSize
from medctx.model.training_memory import GIB
from study.config.cells import StudyCell, short
from study.config.grid import cells as cells_of
from study.config.sections import section
from study.config.study import StudyConfig
from study.forecast import training_cost as training
from study.forecast.budget import budget_of, with_budget
from study.forecast.exam_cost import ExamCost, exam_flop, exam_memory, exam_sections
from study.forecast.model_sizes import size_of
from study.forecast.training_cost import CellCost

UNKNOWN = "?"
WIDTH = 118
MAX_NAMES = 40
INDENT = " " * 12
MAX_CPU_HOURS = 72
BYTES_FLOAT32 = 4


def _hours(value: float) -> str:
    if value < 1 / 60:
        return "under 1 min"
    return f"{value:,.0f} h" if value >= 10 else f"{value:.1f} h" if value >= 1 else f"{value * 60:.0f} min"


def _rounded(tokens: int) -> str:
    """15,250,011 as ``15.3 million``."""
    return f"{tokens / 1e6:,.1f} million" if tokens >= 1e6 else f"{tokens:,}"


def _bytes(value: float) -> str:
    return f"{value / GIB:,.1f} GiB" if value >= GIB else f"{value / 2**20:,.0f} MiB"


def _parameters(count: int) -> str:
    return f"{count / 1e9:.2f} B" if count >= 1e8 else f"{count / 1e6:.1f} M"


def _table(title: str, columns: Sequence[str], left: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", show_edge=False, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    return table


def _models(config: StudyConfig, sizes: Mapping[str, DecoderSize | None]) -> Table:
    table = _table("models", ("label", "id", "parameters", "exam's memory", "notes"), ("label", "id", "notes"))
    for label in config.labels:
        model, size = config.model(label), sizes[label]
        notes = [
            "" if model.confirmed else "id NOT confirmed",
            f"behind {', '.join(model.urls)}, key in {model.key_variable}" if model.urls else "",
            model.note,
        ]
        parameters = _parameters(size.parameters) if size else "elsewhere" if model.urls else UNKNOWN
        memory = _bytes(exam_memory(config, label)) if size else "" if model.urls else UNKNOWN
        table.add_row(label, model.id, parameters, memory, "; ".join(note for note in notes if note))
    return table


def _training(costs: Sequence[CellCost], sizes: Mapping[str, DecoderSize | None]) -> Table:
    """One line per base: cells of the same base differ little but in their tokens."""
    hours = f"on one {training.GPU_NAME}"
    columns = ("base", "cells", "tokens each", "tokens in all", "trained parameters", "memory", hours, "disk")
    table = _table("training", columns, ("base",))
    for label in dict.fromkeys(cost.base for cost in costs):
        group = [cost for cost in costs if cost.base == label]
        tokens = sorted({cost.tokens for cost in group})
        each = f"{short(tokens[0])} to {short(tokens[-1])}" if len(tokens) > 1 else f"{tokens[0]:,}"
        known = sizes[label] is not None
        table.add_row(
            label,
            str(len(group)),
            each,
            f"{sum(cost.tokens for cost in group):,}",
            _parameters(max(cost.trained for cost in group)) if known else UNKNOWN,
            _bytes(max(cost.memory for cost in group)) if known else UNKNOWN,
            _hours(training.gpu_hours(sum(cost.flop for cost in group))) if known else UNKNOWN,
            _bytes(sum(cost.trained for cost in group) * BYTES_FLOAT32) if known else UNKNOWN,
        )
    return table


def _exam_lines(config: StudyConfig, cost: ExamCost | None) -> Iterator[str]:
    for exam in exam_sections(section(config, "exam")):
        conditions = exam.get("conditions")
        names = ", ".join(map(str, conditions)) if isinstance(conditions, list) else "closed"
        yield f"exam        {exam.get('name') or exam.get('exam')}: {names}"
    if cost is not None:
        yield (
            f"            {cost.items:,} items, {cost.questions:,} questions on {cost.books:,} Books and about "
            f"{_rounded(cost.tokens)} tokens to compute for each model"
        )
    if config.repeat_base_exam:
        yield "            the untouched models are examined twice, which measures the noise floor"


def _cell_names(seeds: Sequence[int], every: Sequence[StudyCell]) -> str:
    """What is compared, seeds together, wrapped."""
    names = list(dict.fromkeys(cell.group for cell in every))
    if len(names) > MAX_NAMES:
        names = [*names[: MAX_NAMES - 1], f"... {names[-1]}"]
    text = ", ".join(names)
    if len(seeds) > 1 and any(cell.trained for cell in every):
        text += f"; each trained with seeds {', '.join(map(str, seeds))}"
    return fill(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)


def _total(training_flop: float, exam_flops: float, known: bool) -> str:
    """Hours of so much arithmetic. ``known``: whether it is all there is."""
    flop = training_flop + exam_flops
    if not flop:
        return "nothing is computed here" if known else "not known: the models' sizes are not"
    gpu, cpu = training.gpu_hours(flop), training.cpu_hours(flop)
    text = "" if known else "at least "
    text += f"{_hours(gpu)} of one {training.GPU_NAME} at {training.GPU_UTILISATION:.0%} of its peak"
    if training_flop and exam_flops and gpu >= 1:
        parts = [_hours(training.gpu_hours(part)) for part in (training_flop, exam_flops)]
        text += f" ({parts[0]} of training, {parts[1]} of exams)"
    if cpu <= MAX_CPU_HOURS:
        text += f"; {_hours(cpu)} on two cores"
    return text


def plan_text(config: StudyConfig, exam: ExamCost | None) -> str:
    """The plan of a study as text; ``exam``: the size of its exam for one model, where it is known."""
    config = with_budget(config, budget_of(config))
    every = cells_of(config)
    trained = [cell for cell in every if cell.trained and not cell.repair]
    sizes = {label: size_of(config.model(label)) for label in config.labels}
    costs = training.cell_costs(config, trained)
    exam_flops = sum(
        exam_flop(size, exam.tokens) * (2 if config.repeat_base_exam and not cell.compared else 1)
        for cell in every
        if exam is not None and (size := sizes.get(cell.base)) is not None
    )
    local = [label for label in config.labels if not config.model(label).urls]
    output = StringIO()
    console = Console(file=output, width=WIDTH, highlight=False)

    def line(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    line(f"study       {config.name}: {config.title}")
    if config.stand_in:
        line(f"stand-in    {config.stand_in} replaces every model: its numbers say nothing about them")
    repaired = sum(bool(cell.repair) for cell in every)
    elsewhere = sum(bool(cell.origin) for cell in every)
    bases = len(every) - len(trained) - repaired - elsewhere
    line(
        f"cells       {len(every)}: {bases} untouched, {len(trained)} trained"
        + (f", {repaired} repaired" if repaired else "")
        + (f", {elsewhere} from elsewhere" if elsewhere else "")
        + (f" ({config.design} design)" if config.design != "grid" else "")
    )
    line(_cell_names(config.seeds, every))
    if config.hours is not None:
        line(f"budget      {config.hours:g} hours of training: {config.tokens:,} for each cell")
    for external in config.cells:
        line(f"            {external.cell}: {external.origin} {external.source} {external.endpoint}".rstrip())
    for text in _exam_lines(config, exam):
        line(text)
    console.print(_models(config, sizes))
    if costs:
        console.print(_training(costs, sizes))
    line(f"total       {_total(sum(cost.flop for cost in costs), exam_flops, all(sizes[label] for label in local))}")
    done = sorted(folder.name for folder in (config.work / "steps").glob("*-*")) if config.work.is_dir() else []
    line(f"work        {config.work} ({len(done)} step folders; finished steps are not run again)")
    return output.getvalue().rstrip()
