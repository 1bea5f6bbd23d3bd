"""What a dry run checks: every section by its own command, the sources, the exams and the base."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import yaml

from medctx.errors import MedctxError
from medctx.io.jsonl import write_text
from medctx.io.mix_folder import read_dialogues
from medctx.process.progress import say
from medctx.schemas.result import CommandResult, Output
from medctx.schemas.study_plan import StudyPlan
from medctx.text import tokenizer as tokenizers
from medctx.text.rendering import render
from study.config.cells import StudyCell
from study.config.grid import axes_of
from study.config.grid import cells as cells_of
from study.config.sections import confirmation_exam, section
from study.config.study import ExternalCellConfig, Section, StudyConfig
from study.forecast.exam_cost import ExamCost, exam_cost, exam_dry_run
from study.stages.bases import Base
from study.stages.cell_steps import mix_step, train_step
from study.workflow.commands import call
from study.workflow.steps import CONFIG, Done, Step

SAMPLE = {"tokens": 8_000, "examples": 40}
"""Training data of the mix that a dry run makes of equal shares: it opens every source as the whole mix does."""
LARGEST_SAMPLE = 10
"""How many times as much it makes of unequal shares, at most."""
EXAMPLES = 3


@dataclass
class Rehearsal:
    """What a dry run found.

    Attributes:
        exam: Size of the exam for one model; None where it could not be built.
        plan: The plan that would be registered; None where nothing is compared.
        examples: Rendered training rows and questions.
        notes: What could not be checked here, and why.
        problems: What would stop the study.
    """

    exam: ExamCost | None = None
    plan: StudyPlan | None = None
    examples: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def _called(step: Step, folder: Path, *options: str) -> Done:
    """Call a step's command on its config in a scratch folder."""
    write_text(folder / CONFIG, yaml.safe_dump(step.config, sort_keys=False, allow_unicode=True))
    return Done(step, folder, call([*step.command, "--config", str(folder / CONFIG), *options]))


def _checked_base(label: str, name: str) -> Base | None:
    """The config and tokenizer of a base; None where an embedded model was not prepared yet."""
    models = call(["medctx-train", "base", name, "--dry-run"]).of_kind("model")
    return Base(label=label, id=name, folder=models[0].path) if models else None


def _note_on(cell: ExternalCellConfig, mode: str) -> Iterator[str]:
    if cell.endpoint:
        needs = "" if mode in {"generate", "choice"} else ", which that server must give log-probabilities for"
        yield (
            f"{cell.cell} is asked at {cell.endpoint} by the study's run, in the mode {mode!r} of all cells{needs}; it "
            "has no weights to register."
        )


def _missing(cell: ExternalCellConfig) -> str:
    """Why a cell from elsewhere that is a path cannot be examined; nothing is downloaded for it."""
    folder = Path(cell.source)
    if cell.endpoint or not (folder.is_absolute() or cell.source.startswith(".") or folder.exists()):
        return ""
    try:
        call(["medctx-eval", "model", cell.source])
    except MedctxError as error:
        return str(error)
    return ""


def _without_amount(point: Mapping[str, str | int | float]) -> dict[str, str | int | float]:
    return {axis: value for axis, value in point.items() if axis != "amount"}


def _sample(config: StudyConfig) -> StudyConfig:
    """The study with as little training data as shows whether its sources and settings work; all cells have as much."""
    unit = "examples" if config.mix.get("by") == "examples" else "tokens"
    small = config.model_copy(
        update={
            "tokens": min(config.tokens, SAMPLE[unit]),
            "amounts": (),
            "hours": None,
            "center": _without_amount(config.center),
        }
    )
    defaults = {axis: values[0] for axis, values in axes_of(small).items() if values}
    points = {str({**defaults, **point}): point for point in map(_without_amount, config.points)}
    return small.model_copy(update={"points": tuple(points.values())})


def sample_of(cell: StudyCell, whole: int, sample: int) -> StudyCell:
    """The cell with so much training data that its smaller share is as large as in a sample of equal shares.

    Args:
        cell: A trained cell.
        whole: The least training data of a cell of the study, in the unit of the mix.
        sample: Training data of a sample of equal shares.
    """
    general = cell.general_share or 0.0
    smaller = min(share for share in (general, 1 - general) if share > 0)
    amount = round(sample * min(LARGEST_SAMPLE, max(1.0, 0.5 / smaller)))
    return cell.model_copy(update={"amount": min(whole, amount)})


def _training_rows(mix: Path, base: Base, chat_template: str) -> Iterator[str]:
    assert base.folder is not None
    tokenizer = tokenizers.load_tokenizer(base.folder, chat_template)
    for dialogue in islice(read_dialogues(mix), EXAMPLES):
        text = render(tokenizer, dialogue.turns, ask=False)
        yield f"training row {dialogue.id} ({dialogue.source}, {dialogue.domain}):\n{text}"


def _opens(cell: StudyCell) -> frozenset[tuple[str, str]]:
    """What a cell's training reads that others may not: sources of a domain, Books, settings of a method, a base."""
    share = cell.general_share or 0.0
    read = {
        "general data": share > 0,
        "medical data": share < 1,
        "Books": bool(cell.wrap),
    }
    opened = {(what, cell.sources) for what, is_read in read.items() if is_read}
    return frozenset({*opened, ("method", cell.method), ("base", cell.base)})


def cells_to_rehearse(cells: Sequence[StudyCell]) -> list[StudyCell]:
    """Choose few cells that together read every source, Book, method and base that any of them reads.

    Args:
        cells: The trained cells of a study.

    Returns:
        Some of them, each of which reads something that those before it do not.
    """
    left = frozenset[tuple[str, str]]().union(*map(_opens, cells))
    chosen = []
    while left:
        cell = max(cells, key=lambda candidate: len(_opens(candidate) & left))
        chosen.append(cell)
        left -= _opens(cell)
    return chosen


def _mixed(config: StudyConfig, cell: StudyCell, base: Base, scratch: Path, purpose: str) -> Done:
    """Mix a sample; all data where that is refused, since a share too small in a sample may be large enough there."""

    def mix(part: StudyCell) -> Done:
        say(f"Mixing {part.amount:,} for {cell.name}{purpose}.")
        out = scratch / f"mix-{part.amount}"
        return _called(mix_step(config, part, base), out, "--out", str(out))

    sample = sample_of(cell, cell.amount, config.tokens)
    if sample != cell:
        with suppress(MedctxError):
            return mix(sample)
    return mix(cell)


def _check(part: str, config: StudyConfig, cell: StudyCell, base: Base, mix: Done, scratch: Path) -> None:
    """Check the ``model`` or the ``data`` of a cell's training; the model is checked before there is a mix."""
    step = replace(train_step(config, cell, base, mix), command=("medctx-train", "check"))
    _called(step, scratch / part, "--only", part)


def _train(
    config: StudyConfig, cell: StudyCell, base: Base, scratch: Path, rehearsal: Rehearsal, *, check: bool
) -> None:
    """Mix a sample of a cell's data, and check its training if none of the same method and base was checked."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Beside the mix, which does not need it: a model that is not known to work yet takes eight seconds.
        no_mix = Done(mix_step(config, cell, base), scratch, CommandResult(outputs=(Output(kind="mix", path=Path()),)))
        model = pool.submit(_check, "model", config, cell, base, no_mix, scratch) if check else None
        mix = _mixed(config, cell, base, scratch, " and checking its training" * check)
        if not rehearsal.examples:
            template = section(config, "train").get("chat_template", "")
            rehearsal.examples += _training_rows(mix.folder, base, str(template))
        if model is not None:
            _check("data", config, cell, base, mix, scratch)
            model.result()


def _cells(config: StudyConfig, bases: Mapping[str, Base], scratch: Path) -> Rehearsal:
    """Mix and check few cells that together read all that any cell reads."""
    rehearsal = Rehearsal()
    try:
        small = _sample(config)
        trained = [cell for cell in cells_of(small) if cell.trained and cell.base in bases and not cell.repair]
        amounts = [cell.amount for cell in cells_of(config) if cell.trained]
    except MedctxError as error:
        rehearsal.problems.append(f"cells: {error}")
        return rehearsal
    checked: set[tuple[str, str]] = set()
    for number, cell in enumerate(cells_to_rehearse(trained)):
        is_new = (cell.method, cell.base) not in checked
        checked.add((cell.method, cell.base))
        whole = cell.model_copy(update={"amount": min(amounts)})
        try:
            _train(small, whole, bases[cell.base], scratch / str(number), rehearsal, check=is_new)
        except MedctxError as error:
            rehearsal.problems.append(f"training of {cell.name}: {error}")
    return rehearsal


def _exam(config: StudyConfig, base: Base | None, scratch: Path) -> Rehearsal:
    """Build and count the exams, and what would be registered."""
    from study.registration.exam_size import exam_size
    from study.registration.plan import ExamParts, plan_of

    rehearsal = Rehearsal()
    model: Section = {"name": base.label, "folder": str(base.folder)} if base else {"name": "model"}
    try:
        result = exam_dry_run(section(config, "exam"), [model], "" if base else "bytes", scratch / "exam")
        rehearsal.exam = exam_cost(result)
        confirming = confirmation_exam(config)
        confirmed = ExamParts() if confirming is None else exam_size(confirming)
        rehearsal.plan = plan_of(config, ExamParts(result.exam_parts, result.exam_cards), confirmed)
    except MedctxError as error:
        rehearsal.problems.append(f"exam: {error}")
        return rehearsal
    shown = [text for label, text in result.labels.items() if label.startswith("example ")]
    rehearsal.examples += [f"question:\n{text}" for text in shown[:EXAMPLES]]
    return rehearsal


def _report(config: StudyConfig, scratch: Path) -> Rehearsal:
    """Check the settings of the report."""
    rehearsal = Rehearsal()
    file = scratch / "report.yaml"
    write_text(file, yaml.safe_dump(section(config, "report"), sort_keys=False, allow_unicode=True))
    try:
        call(["medctx-eval", "report", "none", "--dry-run", "--config", str(file)])
    except MedctxError as error:
        rehearsal.problems.append(f"report: {error}")
    return rehearsal


def _bases(config: StudyConfig, rehearsal: Rehearsal) -> dict[str, Base]:
    """The bases that are here, by label; adds what is not to the notes and problems."""
    bases: dict[str, Base] = {}
    for label in config.labels:
        model = config.model(label)
        if model.urls:
            continue
        try:
            base = _checked_base(label, model.id)
        except MedctxError as error:
            rehearsal.problems.append(f"base {label}: {error}")
            continue
        if base is None:
            rehearsal.notes.append(f"{label} is prepared by the study's first run; its mixes are not rehearsed before.")
        else:
            bases[label] = base
    return bases


def rehearse(config: StudyConfig) -> Rehearsal:
    """Pass every section through its command, open every source and exam, check the bases, render examples."""
    rehearsal = Rehearsal()
    bases = _bases(config, rehearsal)
    for external in config.cells:
        rehearsal.notes += _note_on(external, str(config.exam.get("mode", "text")))
        if problem := _missing(external):
            rehearsal.problems.append(f"cell {external.cell}: {problem}")
    with tempfile.TemporaryDirectory(prefix="medctx-") as name, ThreadPoolExecutor(max_workers=2) as pool:
        scratch = Path(name)
        # Commands of their own, which do not read each other's results.
        training = pool.submit(_cells, config, bases, scratch)
        exam = pool.submit(_exam, config, next(iter(bases.values()), None), scratch)
        report = pool.submit(_report, config, scratch)
        # scipy, which states the power of the plan: imported while the commands run.
        import study.registration.power  # noqa: F401

        parts = [training.result(), exam.result(), report.result()]
    for part in parts:
        rehearsal.examples += part.examples
        rehearsal.problems += part.problems
        rehearsal.exam = rehearsal.exam or part.exam
        rehearsal.plan = rehearsal.plan or part.plan
    return rehearsal
