"""The cells of a report: which is the base, how each was made, and their order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from medctx.errors import MedctxError
from medctx.schemas.records import Mode
from medctx.schemas.report import Cell, CellRun, Recipe
from medctx_eval.report.load.collect import CellPair, RunSet
from medctx_eval.report.recipe import share_in_name


def _base_name(run_set: RunSet, configured: str) -> str:
    if configured:
        if configured not in run_set.cells:
            cells = ", ".join(run_set.cells)
            raise MedctxError(f"There is no run {configured!r} to be the base; the runs are: {cells}.")
        return configured
    untrained = (run.cell for run in run_set.runs if not run.manifest.adapter_digest)
    return next(untrained, run_set.cells[0])


def check_names(key: str, names: Iterable[str], run_set: RunSet) -> None:
    """Raise MedctxError if a name under a config key is neither a cell nor a run."""
    known = {*run_set.cells, *(run.name for run in run_set.runs)}
    for name in names:
        if name not in known:
            raise MedctxError(f"The key {key}.{name} names no run; the runs are: {', '.join(run_set.cells)}.")


def _recipe(recipes: Mapping[str, Recipe], run_set: RunSet, cell: str) -> Recipe:
    """The recipe configured for a cell or one of its runs, completed by the ratio in its name."""
    names = [cell, *(run.name for run in run_set.runs_of(cell))]
    recipe = next((recipes[name] for name in names if name in recipes), Recipe())
    if recipe.general_share is not None:
        return recipe
    return recipe.model_copy(update={"general_share": share_in_name(cell)})


def _bases_by_weights(run_set: RunSet) -> dict[str, str]:
    """Trained cells and the untrained cell with the weights they were made from, if it was examined."""
    runs = [run for run in run_set.runs if not run.repeats and run.manifest.weights_digest]
    untrained: dict[str, str] = {}
    for run in runs:
        if not run.manifest.adapter_digest:
            untrained.setdefault(run.manifest.weights_digest, run.cell)
    trained = (run for run in runs if run.manifest.adapter_digest and run.manifest.weights_digest in untrained)
    return {run.cell: untrained[run.manifest.weights_digest] for run in trained}


def _bases(run_set: RunSet, base: str, recipes: Mapping[str, Recipe]) -> dict[str, str]:
    """The base of each cell, empty for a base.

    As configured for the cell, else for all, else by the weights, else the first base.
    """
    first = _base_name(run_set, base)
    by_weights = {} if base else _bases_by_weights(run_set)
    bases_of = {}
    for cell in run_set.cells:
        configured = recipes[cell].base
        if configured and configured not in run_set.cells:
            cells = ", ".join(run_set.cells)
            raise MedctxError(f"The key cells.{cell}.base names no cell: {configured!r}; the cells are: {cells}.")
        bases_of[cell] = configured or by_weights.get(cell, first)
    bases = {first, *bases_of.values()}
    chained = next((cell for cell in bases_of if cell in bases and recipes[cell].base not in ("", cell)), None)
    if chained is not None:
        raise MedctxError(
            f"The key cells.{chained}.base makes {chained} a tuned cell, but others are compared with it; remove the "
            "key, or compare the others with another base."
        )
    return {cell: "" if cell in bases else base for cell, base in bases_of.items()}


def cells_of(run_set: RunSet, base: str, configured: Mapping[str, Recipe]) -> tuple[Cell, ...]:
    """Each base followed by the cells made from it, from general to medical, then by amount and method.

    Args:
        run_set: The runs.
        base: Configured name of the base; empty to choose it.
        configured: Configured recipes by name of a cell or run.

    Raises:
        MedctxError: If a configured name is unknown.
    """
    check_names("cells", configured, run_set)
    recipes = {name: _recipe(configured, run_set, name) for name in run_set.cells}
    bases = _bases(run_set, base, recipes)
    first = _base_name(run_set, base)
    groups = sorted((name for name, base_name in bases.items() if not base_name), key=lambda name: name != first)
    cells = [
        Cell(
            name=name,
            base=not base_name,
            recipe=recipes[name].model_copy(update={"base": base_name}) if base_name else Recipe(),
            runs=tuple(CellRun(name=run.name, manifest=run.manifest) for run in run_set.runs_of(name)),
        )
        for name, base_name in bases.items()
    ]

    def sort_key(cell: Cell) -> tuple[int, bool, float, int, str]:
        recipe = cell.recipe
        group = groups.index(recipe.base or cell.name)
        return group, not cell.base, -(recipe.general_share or 0.0), recipe.amount or 0, recipe.method

    return tuple(sorted(cells, key=sort_key))


def pairs_of(cells: Sequence[Cell], judged: Collection[str]) -> tuple[list[CellPair], list[CellPair]]:
    """Pairs of the cells that were ``judged``.

    Returns:
        Each tuned cell with its base; and all cells of one base with one another, the later one first.
    """
    to_base, every_pair = [], []
    kept = [cell for cell in cells if cell.name in judged]
    for place, cell in enumerate(kept):
        if not cell.base and cell.recipe.base in judged:
            to_base.append((cell.name, cell.recipe.base))
        base = cell.recipe.base or cell.name
        every_pair += [(cell.name, other.name) for other in kept[:place] if base in (other.name, other.recipe.base)]
    return to_base, every_pair


def headline_mode(run_set: RunSet, configured: Mode | None = None) -> Mode:
    """The mode of the headline numbers: as configured, else the one that all runs were examined for."""
    modes = {run.manifest.mode for run in run_set.runs}
    judged = ", ".join(sorted(run_set.modes))
    if configured is None and len(modes) > 1:
        raise MedctxError(
            f"The runs have the headline modes {', '.join(sorted(modes))}, and results of different modes are not "
            f"compared; choose one with mode=NAME (judged are: {judged})."
        )
    mode = configured or modes.pop()
    if mode not in run_set.modes:
        raise MedctxError(
            f"No run judged an item in the headline mode {mode!r}; examine again, or choose mode=NAME (judged are: "
            f"{judged})."
        )
    return mode


def check_means(run_set: RunSet, mode: Mode, *, allowed: bool) -> None:
    """Raise MedctxError if runs read or constrained the answers of a mode by different means, unless it is allowed."""
    by_means: dict[str, str] = {}
    for run in run_set.runs:
        by_means.setdefault(run.manifest.means.get(mode.partition("-")[0], ""), run.name)
    known = {means: name for means, name in by_means.items() if means}
    if len(known) > 1 and not allowed:
        ways = "; ".join(f"{name}: {means}" for means, name in known.items())
        raise MedctxError(
            f"The answers in mode {mode} were read by different means ({ways}), so their difference is not that of the "
            "models alone; examine them in the same way, or allow it with different_means=true (compare: "
            "--different-means)."
        )
