"""The cells of a report: which is the base, what each was trained on, and in which order they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from medctx.errors import MedctxError
from medctx.schemas.records import Mode
from medctx.schemas.report import Cell, CellRun, Recipe
from medctx_eval.report.config import ReportConfig
from medctx_eval.report.load.collect import Collected
from medctx_eval.report.recipe import share_in


def _base_name(collected: Collected, wanted: str) -> str:
    if wanted:
        if wanted not in collected.cells:
            cells = ", ".join(collected.cells)
            raise MedctxError(f"There is no run {wanted!r} to be the base; the runs are: {cells}.")
        return wanted
    untouched = (run.cell for run in collected.runs if not run.manifest.adapter_digest)
    return next(untouched, collected.cells[0])


def check_names(key: str, named: Iterable[str], collected: Collected) -> None:
    """Every name under a config key is a cell or a run."""
    known = {*collected.cells, *(run.name for run in collected.runs)}
    for name in named:
        if name not in known:
            raise MedctxError(f"The key {key}.{name} names no run; the runs are: {', '.join(collected.cells)}.")


def _recipe(config: ReportConfig, collected: Collected, cell: str) -> Recipe:
    """What is configured for a cell by its own name or that of one of its runs, and what its name says."""
    names = [cell, *(run.name for run in collected.runs_of(cell))]
    told = next((config.cells[name] for name in names if name in config.cells), Recipe())
    if told.general_share is not None:
        return told
    return told.model_copy(update={"general_share": share_in(cell)})


def _own_bases(collected: Collected) -> dict[str, str]:
    """Trained cells and the untouched cell that has the weights they were made from, where it was examined."""
    runs = [run for run in collected.runs if not run.repeats and run.manifest.weights_digest]
    untouched: dict[str, str] = {}
    for run in runs:
        if not run.manifest.adapter_digest:
            untouched.setdefault(run.manifest.weights_digest, run.cell)
    trained = (run for run in runs if run.manifest.adapter_digest and run.manifest.weights_digest in untouched)
    return {run.cell: untouched[run.manifest.weights_digest] for run in trained}


def _bases(collected: Collected, config: ReportConfig, recipes: Mapping[str, Recipe]) -> dict[str, str]:
    """Every cell and the base it is compared with; a base itself has none. As told for the cell, else for all, else by
    the weights, else the first base.
    """
    first = _base_name(collected, config.base)
    own = {} if config.base else _own_bases(collected)
    found = {}
    for cell in collected.cells:
        told = recipes[cell].base
        if told and told not in collected.cells:
            cells = ", ".join(collected.cells)
            raise MedctxError(f"The key cells.{cell}.base names no cell: {told!r}; the cells are: {cells}.")
        found[cell] = told or own.get(cell, first)
    bases = {first, *found.values()}
    chained = next((cell for cell in found if cell in bases and recipes[cell].base not in ("", cell)), None)
    if chained is not None:
        raise MedctxError(
            f"The key cells.{chained}.base makes {chained} a tuned cell, but others are compared with it."
        )
    return {cell: "" if cell in bases else base for cell, base in found.items()}


def cells_of(collected: Collected, config: ReportConfig) -> tuple[Cell, ...]:
    """Every base and behind it the cells made from it, from general to medical, then by amount and method."""
    check_names("cells", config.cells, collected)
    recipes = {name: _recipe(config, collected, name) for name in collected.cells}
    bases = _bases(collected, config, recipes)
    first = _base_name(collected, config.base)
    groups = sorted((name for name, base in bases.items() if not base), key=lambda name: name != first)
    cells = [
        Cell(
            name=name,
            base=not base,
            recipe=recipes[name].model_copy(update={"base": base}) if base else Recipe(),
            runs=tuple(CellRun(name=run.name, manifest=run.manifest) for run in collected.runs_of(name)),
        )
        for name, base in bases.items()
    ]

    def place(cell: Cell) -> tuple[int, bool, float, int, str]:
        made = cell.recipe
        group = groups.index(made.base or cell.name)
        return group, not cell.base, -(made.general_share or 0.0), made.amount or 0, made.method

    return tuple(sorted(cells, key=place))


def headline_mode(collected: Collected, config: ReportConfig) -> Mode:
    """The mode of the headline numbers: as configured, else the one that all runs were examined for."""
    named = {run.manifest.mode for run in collected.runs}
    judged = ", ".join(sorted(collected.modes))
    if config.mode is None and len(named) > 1:
        raise MedctxError(
            f"The runs have the headline modes {', '.join(sorted(named))}, and modes are never ranked across; say "
            f"which is to be compared with mode=NAME (judged are: {judged})."
        )
    mode = config.mode or named.pop()
    if mode not in collected.modes:
        raise MedctxError(
            f"No run judged an item in the headline mode {mode!r}; examine again, or say mode=NAME (judged are: "
            f"{judged})."
        )
    return mode
