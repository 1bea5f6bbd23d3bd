"""The cells of a study from its axes: untouched models, trained ones with their controls, others from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from medctx.errors import MedctxError
from medctx.schemas.ratio import general_share
from study.config.cells import BASE_CELL, StudyCell, short
from study.config.design import Axes, Point, Value, grid, one_at_a_time, space_filling
from study.config.study import StudyConfig


def axes_of(config: StudyConfig) -> Axes:
    """Every axis but seeds and repairs, which each point is crossed with; an axis that is not set is None."""
    trainable = [label for label in config.labels if not config.model(label).urls]
    unset: tuple[Value, ...] = (None,)
    return {
        "base": trainable,
        "ratio": config.ratios,
        "amount": config.amounts or (config.tokens,),
        "method": config.methods or unset,
        "sources": config.sources or unset,
        "wrap": config.wraps or unset,
    }


def _point(key: str, named: Mapping[str, Value], axes: Axes) -> Point:
    """The point that ``named`` names, with the first value of every axis it leaves out.

    ``key``: its key in the config.
    """
    unknown = [axis for axis in named if axis not in axes]
    if unknown:
        raise MedctxError(f"The key {key}.{unknown[0]} is no axis; the axes are: {', '.join(axes)}.")
    point: Point = {axis: named.get(axis, values[0]) for axis, values in axes.items()}
    for axis, value in point.items():
        if value not in axes[axis]:
            raise MedctxError(f"The key {key}.{axis} is {value!r}, which is none of {list(axes[axis])}; give one.")
    return point


def grid_points(config: StudyConfig) -> list[Point]:
    """The points of the design, in the order of the grid."""
    axes = axes_of(config)
    if not all(axes.values()):
        return []
    if config.design == "one-at-a-time":
        return one_at_a_time(axes, _point("center", config.center, axes))
    if config.design == "listed":
        return [_point(f"points.{place}", point, axes) for place, point in enumerate(config.points)]
    if config.design == "space-filling" and config.point_count is not None:
        return space_filling(axes, config.point_count)
    return grid(axes)


def _names_sources(point: Point, points: Sequence[Point]) -> bool:
    """Whether the source set is part of a cell's name: one purely medical point needs none to be told from others."""
    ratio = str(point["ratio"])
    sets = {other["sources"] for other in points if other["ratio"] == ratio}
    return bool(general_share(ratio)) or len(sets) > 1


def _named(
    config: StudyConfig, point: Point, seed: int, *, epochs: int = 1, repair: str = "", sources: str = ""
) -> StudyCell:
    """A cell, named by its ratio and the axes that vary in this study; ``sources``: as its name says them.

    In a one-at-a-time design the amount of the center is left out of the name.
    """
    amount, wrap = cast("int", point["amount"]), point["wrap"]
    usual = config.center.get("amount") if config.design == "one-at-a-time" else None
    words = [
        str(point["base"]) if len(config.labels) > 1 else "",
        str(point["ratio"]),
        short(amount) if len(config.amounts) > 1 and amount != usual else "",
        f"x{epochs}" if epochs > 1 else "",
        str(point["method"]) if len(config.methods) > 1 else "",
        sources,
        f"wrap {wrap:g}" if len(config.wraps) > 1 and wrap else "",
        repair,
    ]
    group = " ".join(word for word in words if word)
    return StudyCell(
        name=f"{group} seed {seed}" if len(config.seeds) > 1 else group,
        group=group,
        base=str(point["base"]),
        ratio=str(point["ratio"]),
        amount=amount,
        epochs=epochs,
        seed=seed,
        method=str(point["method"] or ""),
        sources=str(point["sources"] or ""),
        wrap=cast("float | None", wrap),
        repair=repair,
    )


def _equal_tokens(amounts: Sequence[int], point: Point) -> int:
    """Epochs over the data of a point that make as many tokens as the largest amount."""
    return round(max(amounts or (1,)) / cast("int", point["amount"]))


def untouched(labels: Sequence[str]) -> list[StudyCell]:
    """The cells of the untouched bases, which have these labels."""
    names = {label: BASE_CELL if len(labels) == 1 else label for label in labels}
    return [StudyCell(name=name, group=name, base=label) for label, name in names.items()]


def _trained(config: StudyConfig) -> Iterator[StudyCell]:
    points = grid_points(config)
    for point in points:
        sources = str(point["sources"]) if len(config.sources) > 1 and _names_sources(point, points) else ""
        controls = dict.fromkeys([1, _equal_tokens(config.amounts, point) if config.equal_tokens else 1])
        for epochs in controls:
            for seed in config.seeds:
                for repair in ("", *config.repairs):
                    yield _named(config, point, seed, epochs=epochs, repair=repair, sources=sources)


def external(config: StudyConfig) -> list[StudyCell]:
    """The cells from elsewhere; each is a base of its own to the engine that examines it."""
    return [
        StudyCell(
            name=cell.cell, group=cell.cell, base=cell.cell, origin=cell.origin, against=cell.base or config.labels[0]
        )
        for cell in config.cells
    ]


def cells(config: StudyConfig) -> list[StudyCell]:
    """Every cell of a study, in the order they are shown."""
    every = [*untouched(config.labels), *_trained(config), *external(config)]
    names = [cell.name for cell in every]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise MedctxError(
            f"Two cells of the study {config.name} are called {twice!r}; rename one of its models or arms, or "
            "give cells a name."
        )
    return every


def source_of(cell: StudyCell, cells: Sequence[StudyCell]) -> StudyCell:
    """The trained cell that a repaired one is made from."""
    unnamed = {"name": "", "group": ""}
    source = cell.model_copy(update={"repair": "", **unnamed})
    return next(other for other in cells if other.trained and other.model_copy(update=unnamed) == source)
