"""The power of a study as text, answered before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from medctx.schemas.study_plan import Estimand, Power, StudyPlan
from study.registration.power import plan_sentence, planned_power
from study.registration.register import short_digest

WIDTH = 118


def _table(title: str, left: int, *columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", show_edge=False, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < left else "right", overflow="fold")
    return table


def _power(plan: StudyPlan, estimand: Estimand, difference: float, target: float, *, untrained: bool) -> Power:
    assumed = plan.power
    return planned_power(
        estimand,
        difference,
        plan.family,
        item_sd=assumed.item_sd,
        icc=assumed.icc,
        seed_sd=assumed.seed_sd,
        seeds=len(plan.training_seeds),
        cells=len({contrast.cell for contrast in plan.family.contrasts}),
        untrained=untrained,
        target=target,
    )


def _parts(plan: StudyPlan) -> Table:
    table = _table("items", 3, "axis", "measured", "exam and condition", "weight", "items", "clusters")
    for words, estimands in (("", plan.estimands), ("confirmation", plan.confirmed)):
        for estimand in estimands:
            for part in estimand.parts:
                untaught = f" ({part.untaught} untaught)" if part.untaught else ""
                axis = f"{estimand.axis}, {words}" if words else estimand.axis
                measured = estimand.measure.replace("-", " ")
                table.add_row(
                    axis, measured, part.name, f"{part.weight:.2f}", f"{part.items}{untaught}", str(part.clusters)
                )
    return table


def _rows(plan: StudyPlan, difference: float, target: float) -> Iterator[tuple[str, str, str]]:
    trained = {contrast.cell for contrast in plan.family.contrasts}
    for estimand in plan.estimands:
        for untrained, words in ((True, "a trained cell against its base"), (False, "two trained cells")):
            if untrained or len(trained) > 1:
                power = _power(plan, estimand, difference, target, untrained=untrained)
                yield f"{estimand.axis}: {words}", f"{100 * power.detectable:.1f}", f"{power.power:.2f}"


def power_text(plan: StudyPlan, difference: float | None = None, target: float | None = None) -> str:
    """The power of every kind of contrast of a plan.

    Args:
        plan: The plan.
        difference: The difference power is stated for, as a share of 1; None: that of the plan.
        target: The power the smallest difference is stated for; None: that of the plan.
    """
    difference = plan.power.difference if difference is None else difference
    target = plan.power.target if target is None else target
    output = StringIO()
    console = Console(file=output, width=WIDTH, highlight=False)

    def line(text: str) -> None:
        console.print(text, markup=False, soft_wrap=True)

    seeds = len(plan.training_seeds)
    line(
        f"plan        {short_digest(plan)} of {plan.study}: {len(plan.cells)} cells, {seeds} seed{'s' * (seeds > 1)}, "
        f"{len(plan.family.contrasts)} contrasts at an error rate of {plan.family.error_rate:g} in all, margin "
        f"{100 * plan.margin:g} points"
    )
    console.print(_parts(plan))
    columns = ("contrast", f"points seen with power {target:g}", f"power for {100 * difference:g} points")
    table = _table("power", 1, *columns)
    for row in _rows(plan, difference, target):
        table.add_row(*row)
    console.print(table)
    line(f"primary     {plan_sentence(plan)}")
    assumed = plan.power
    line(
        f"assumed     item differences with a standard deviation of {assumed.item_sd:g}, correlated by {assumed.icc:g} "
        f"within a cluster; training seeds move a cell by {100 * assumed.seed_sd:g} points"
    )
    expected = plan.prediction
    if expected is not None:
        line(
            f"predicted   {100 * expected.expected:+g} points, between {100 * expected.low:+g} and "
            f"{100 * expected.high:+g}: {expected.reason}"
        )
    return output.getvalue().rstrip()
