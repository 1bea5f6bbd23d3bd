"""A study's plan from its config and from what its exams ask. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from medctx import __version__
from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import describe
from medctx.schemas.exam_run import ExamCard, PlannedPart
from medctx.schemas.study_plan import (
    FROM_ELSEWHERE,
    Contrast,
    Estimand,
    Family,
    PlanAxis,
    Prediction,
    StudyPlan,
    WeightedPart,
)
from study.config.cells import StudyCell
from study.config.grid import axes_of, cells, external, untouched
from study.config.sections import file_digests, with_data
from study.config.study import ContrastConfig, StudyConfig
from study.registration.power import planned_power

AXES: tuple[PlanAxis, ...] = ("knowledge", "reading")
DEFAULT_MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class ExamParts:
    """What an exam asks: the size of every Condition, and the exams."""

    parts: tuple[PlannedPart, ...] = ()
    cards: tuple[ExamCard, ...] = ()


def margin_of(config: StudyConfig) -> float:
    """The registered margin: the plan's, else the report's, else five points."""
    stated = config.plan.margin if config.plan.margin is not None else config.report.get("margin")
    return float(stated) if isinstance(stated, int | float) else DEFAULT_MARGIN


def _weights(config: StudyConfig, axis: PlanAxis, parts: Sequence[PlannedPart]) -> dict[str, float]:
    """The weights of an axis by exam and Condition: as the config says, else all alike."""
    names = [f"{part.exam} {part.condition}" for part in parts]
    chosen = config.plan.weights.get(axis)
    if chosen is None:
        return dict.fromkeys(names, 1.0)
    unknown = [name for name in chosen if name not in names]
    if unknown:
        raise MedctxError(
            f"The key plan.weights.{axis} of the study {config.name} names {unknown[0]!r}, which is not asked on this "
            f"axis; asked are: {', '.join(names) or 'none'}."
        )
    return dict(chosen)


def _size(part: PlannedPart, axis: PlanAxis, *, difference: bool) -> int:
    """Items of a part that its number is made of; an accuracy of knowledge excludes untaught items."""
    return part.items - part.untaught if axis == "knowledge" and not difference else part.items


def _estimand(config: StudyConfig, axis: PlanAxis, exam: ExamParts) -> Estimand | None:
    """What one number of an axis is. Knowledge is taught less untaught where every part has items of both kinds."""
    of_axis = [part for part in exam.parts if part.axis == axis]
    # Untaught facts are read like taught ones; as knowledge they are what nobody was taught.
    parts = [part for part in of_axis if part.untaught < part.items] if axis == "knowledge" else of_axis
    weights = _weights(config, axis, parts)
    weighted = [part for part in parts if f"{part.exam} {part.condition}" in weights]
    if not weighted:
        return None
    difference = axis == "knowledge" and all(part.untaught for part in weighted)
    sizes = [_size(part, axis, difference=difference) for part in weighted]
    total = sum(weights.values())
    return Estimand(
        axis=axis,
        measure="taught-minus-untaught" if difference else "accuracy",
        parts=tuple(
            WeightedPart(
                exam=part.exam,
                condition=part.condition,
                weight=weights[f"{part.exam} {part.condition}"] / total,
                items=items,
                untaught=part.untaught if difference else 0,
                clusters=min(part.clusters, items),
            )
            for part, items in zip(weighted, sizes, strict=True)
        ),
    )


def estimands(config: StudyConfig, exam: ExamParts) -> tuple[Estimand, ...]:
    """One estimand for every axis that is asked about."""
    every = (_estimand(config, axis, exam) for axis in AXES)
    return tuple(estimand for estimand in every if estimand is not None)


def _base_groups(config: StudyConfig) -> dict[str, str]:
    """The cell of every untouched base, by its label."""
    return {cell.base: cell.group for cell in untouched(config.labels)}


def _compared(config: StudyConfig) -> list[StudyCell]:
    """The cells that are compared with a base, trained here or elsewhere; one of each group."""
    return list({cell.group: cell for cell in cells(config) if cell.compared}.values())


def _contrast(config: StudyConfig, settings: ContrastConfig, trained: Sequence[StudyCell]) -> Contrast:
    bases = _base_groups(config)
    base = next(
        (bases[cell.compared_with] for cell in trained if cell.group == settings.cell), next(iter(bases.values()))
    )
    return Contrast(cell=settings.cell, against=settings.against or base, axis=settings.axis)


def _every_contrast(config: StudyConfig, trained: Sequence[StudyCell], axes: Sequence[PlanAxis]) -> Iterator[Contrast]:
    bases = _base_groups(config)
    for axis in axes:
        for cell in trained:
            yield Contrast(cell=cell.group, against=bases[cell.compared_with], axis=axis)


def _primary(config: StudyConfig, trained: Sequence[StudyCell], axes: Sequence[PlanAxis]) -> Contrast:
    """The primary contrast: as the config says, else the cell with the least general data against its base."""
    if config.plan.primary is not None:
        return _contrast(config, config.plan.primary, trained)
    made = [cell for cell in trained if cell.trained and not cell.repair] or trained
    cell = min(made, key=lambda cell: cell.general_share or 0.0)
    axis: PlanAxis = "reading" if "reading" in axes else axes[0]
    return _contrast(config, ContrastConfig(cell=cell.group, axis=axis), trained)


def _family(config: StudyConfig, trained: Sequence[StudyCell], axes: Sequence[PlanAxis], primary: Contrast) -> Family:
    """The contrasts decided together, the primary one first."""
    stated = [_contrast(config, settings, trained) for settings in config.plan.contrasts]
    contrasts = dict.fromkeys([primary, *(stated or _every_contrast(config, trained, axes))])
    return Family(contrasts=tuple(contrasts), error_rate=config.plan.error_rate)


_SHOWN = frozenset({"title", "published", "browser_items", "margin"})
"""Keys of the report that decide nothing, and the margin, which the plan states itself."""


def settings_of(config: StudyConfig) -> dict[str, str]:
    """Digests of everything else that decides what the cells and their answers are.

    Where files lie is no setting: sections are taken as they are written, with the contents of the files they name.
    """
    written: dict[str, JsonValue] = {
        "mix": dict(config.mix),
        "train": dict(config.train),
        "exam": dict(config.exam),
        "confirmation": dict(config.confirmation),
        "source_sets": {name: dict(settings) for name, settings in config.source_sets.items()},
        "recipes": {name: dict(recipe) for name, recipe in config.recipes.items()},
        "arms": {name: dict(arm) for name, arm in config.arms.items()},
        "report": {key: value for key, value in config.report.items() if key not in _SHOWN},
    }
    whole: dict[str, JsonValue] = {
        "curriculum": config.curriculum.model_dump(mode="json"),
        "bases": {label: config.stated_model(label).id for label in config.labels},
        "stand_in": config.stand_in,
        "adapters": config.adapters,
        "check_contamination": config.check_contamination,
    }
    if config.chat_template:
        written["chat_template"] = {"chat_template": config.chat_template}
    if config.cells:
        # The weights behind a folder count as the files of an adapter do.
        written["cells"] = [
            {
                "name": cell.cell,
                "from": cell.endpoint,
                "path": cell.source,
                "base": cell.base,
                **({"tokenizer": cell.tokenizer, "positions": cell.positions} if cell.endpoint else {}),
            }
            for cell in config.cells
        ]
    contents = {name: [value, *file_digests(with_data(value, config.data))] for name, value in written.items() if value}
    return {name: digest.of_value(value)[: digest.SHORT] for name, value in {**contents, **whole}.items()}


def _axes(config: StudyConfig) -> dict[str, tuple[str, ...]]:
    """The values of every axis that the study sets, and the cells from elsewhere."""
    axes = {axis: tuple(map(str, values)) for axis, values in axes_of(config).items() if values != (None,)}
    names = tuple(cell.group for cell in external(config))
    return {**axes, FROM_ELSEWHERE: names} if names else axes


def plan_of(config: StudyConfig, selection: ExamParts, confirmation: ExamParts = ExamParts()) -> StudyPlan | None:
    """The plan of a study; None where nothing is compared with a base, or no axis is asked about.

    Args:
        config: The study.
        selection: What the exam asks that every cell takes.
        confirmation: What is asked of selected cells afterwards.

    Raises:
        MedctxError: Weights or contrasts name what the study does not have.
    """
    trained, measured = _compared(config), estimands(config, selection)
    if not trained or not measured:
        return None
    axes = [estimand.axis for estimand in measured]
    primary = _primary(config, trained, axes)
    family = _family(config, trained, axes, primary)
    settings = config.plan
    sized = next((estimand for estimand in measured if estimand.axis == primary.axis), measured[0])
    try:
        return StudyPlan(
            study=config.name,
            cells=(*_base_groups(config).values(), *(cell.group for cell in trained)),
            axes=_axes(config),
            training_seeds=config.seeds,
            estimands=measured,
            margin=margin_of(config),
            primary=primary,
            family=family,
            selection=selection.cards,
            confirmation=confirmation.cards,
            confirmed=tuple(e for axis in AXES if (e := _confirmed(axis, measured, confirmation)) is not None),
            power=planned_power(
                sized,
                settings.difference,
                family,
                item_sd=settings.item_sd,
                icc=settings.icc,
                seed_sd=settings.seed_sd,
                seeds=len(config.seeds),
                cells=len({contrast.cell for contrast in family.contrasts}),
                untrained=primary.against in _base_groups(config).values(),
                target=settings.power,
            ),
            prediction=None
            if settings.prediction is None
            else Prediction.model_validate(settings.prediction.model_dump()),
            trained_tokens=max(config.amounts or (config.tokens,)),
            settings=settings_of(config),
            medctx=__version__,
        )
    except ValidationError as error:
        raise MedctxError(f"The plan of the study {config.name} does not fit together: {describe(error)}.") from None


def _confirmed(axis: PlanAxis, measured: Sequence[Estimand], exam: ExamParts) -> Estimand | None:
    """The estimand of an axis on confirmation items, with the weights of the same parts; None where one is missing."""
    of_axis = next((estimand for estimand in measured if estimand.axis == axis), None)
    sizes = {f"{part.exam} {part.condition}": part for part in exam.parts if part.axis == axis}
    if of_axis is None or any(part.name not in sizes for part in of_axis.parts):
        return None
    parts = []
    for part in of_axis.parts:
        size = sizes[part.name]
        difference = of_axis.measure != "accuracy"
        items = _size(size, axis, difference=difference)
        changes = {
            "items": items,
            "untaught": size.untaught if difference else 0,
            "clusters": min(size.clusters, items),
        }
        parts.append(part.model_copy(update=changes))
    return of_axis.model_copy(update={"parts": tuple(parts)})
