"""The law and the recommendation as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from study.law.evidence.names import number, signed_points, size_name
from study.law.recommend.records import Estimate, ForecastCheck, Recommendation
from study.law.records import METHODS, LawPart, LawRecord, Parameter, Saturation, Validation


@dataclass(frozen=True)
class TextTable:
    """A table of texts: the first column to the left, the others to the right."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def rich(self) -> Table:
        """For the terminal, without the title: rich folds titles to the width of their table."""
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for column, name in enumerate(self.header):
            table.add_column(name, justify="right" if column else "left", no_wrap=True)
        for row in self.rows:
            # Rich reads plain strings as markup; Text is taken as it is.
            table.add_row(*map(Text, row))
        return table

    def markdown(self) -> str:
        """As a pipe table under its title."""

        def line(cells: tuple[str, ...]) -> str:
            return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

        rule = ("---", *("---:" for _ in self.header[1:]))
        return "\n".join([f"**{self.title}**", "", line(self.header), line(rule), *map(line, self.rows)])


METHOD_NAMES = {"law": "law", "process": "Gaussian process", "straight": "straight line", "nearest": "nearest cell"}


def percent(share: float) -> str:
    """0.4567 -> ``45.7``."""
    return f"{100 * share:.1f}"


def accuracy(found: Estimate) -> str:
    """``45.7 [40.1, 51.2]``, in per cent."""
    return f"{percent(found.value)} [{percent(found.low)}, {percent(found.high)}]"


def difference(found: Estimate) -> str:
    """``+4.5 [-1.0, +9.9]``, in points."""
    return f"{signed_points(found.value)} [{signed_points(found.low)}, {signed_points(found.high)}]"


def _parameter(one: Parameter) -> str:
    found = Estimate(value=one.value, low=one.low, high=one.high)
    if one.unit == "accuracy":
        return accuracy(found)
    if one.unit == "points":
        return difference(found)
    return f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"


_UNITS = {"accuracy": " %", "points": ", points", "logits": ", logits", "bend": ""}


def parameters(parts: Sequence[LawPart]) -> TextTable:
    """The law's parameters, a column per part."""
    names = dict.fromkeys((one.name, one.unit) for part in parts for one in part.parameters)
    rows = []
    for name, unit in names:
        found = [next((one for one in part.parameters if one.name == name), None) for part in parts]
        rows.append((name + _UNITS[unit], *("" if one is None else _parameter(one) for one in found)))
    rows.append(("runs", *(str(len(part.points)) for part in parts)))
    return TextTable("The law, with 95 % intervals", ("parameter", *(part.part for part in parts)), tuple(rows))


def held_out(found: Validation) -> TextTable:
    """What was measured where the law was not shown, and what each method said; the last row is their mean error."""
    rows = [
        (
            one.cell,
            ", ".join(percent(value) for value in one.measured),
            f"{percent(one.predictions['law'])} [{percent(one.low)}, {percent(one.high)}]"
            + ("" if one.inside == len(one.measured) else " !"),
            *(percent(one.predictions[method]) for method in METHODS[1:]),
        )
        for one in found.held_out
    ]
    errors = ("mean error, points", "", *(f"{100 * found.errors[method]:.2f}" for method in METHODS))
    between = (
        ("the same between cells", "", *(f"{100 * found.errors_between[method]:.2f}" for method in METHODS))
        if found.errors_between
        else None
    )
    header = ("left out", "measured %", "law % [95 %]", *(f"{METHOD_NAMES[method]}" for method in METHODS[1:]))
    title = (
        f"{found.part.capitalize()}, one {found.by} left out at a time: {found.covered} of {found.runs} runs inside "
        f"the law's 95 % intervals (rate {found.covered / found.runs:.0%}, exact interval {found.coverage[0]:.0%} to "
        f"{found.coverage[1]:.0%})"
    )
    return TextTable(title, header, (*rows, errors, *([between] if between else [])))


def _p(value: float | None) -> str:
    return "" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def amounts(found: Sequence[Saturation]) -> TextTable:
    """One line per amount curve."""
    rows = tuple(
        (
            f"{one.part} at {100 * one.share:g} % general" + (f", {size_name(one.size)}" if one.size else ""),
            str(len(one.amounts)),
            _p(one.p_amount),
            difference(Estimate(value=one.effect, low=one.effect_low, high=one.effect_high))
            if one.effect_low is not None and one.effect_high is not None
            else signed_points(one.effect),
            f"{number(one.change)} [{'...' if one.change_low is None else number(one.change_low)}, "
            f"{'...' if one.change_high is None else number(one.change_high)}]",
            one.word,
        )
        for one in found
    )
    header = ("curve", "runs", "p (amount)", "rise over the range", "change-point [95 %]", "verdict")
    return TextTable("Amount", header, rows)


def of_law(found: LawRecord) -> Iterator[TextTable]:
    """Every table of a law."""
    yield parameters(found.parts)
    yield from map(held_out, found.validations)
    if found.saturations:
        yield amounts(found.saturations)


def of_recommendation(found: Recommendation) -> Iterator[TextTable]:
    """The forecast, and what to run next."""
    rows = tuple(
        (
            one.part,
            accuracy(one.truth),
            difference(one.gain),
            accuracy(one.measurement),
            difference(one.difference),
            f"{one.proves:.0%}",
        )
        for one in found.forecasts
    )
    header = ("part", "expected %", "to base", "will measure %", "to base", "exam proves it")
    yield TextTable(f"Forecast for {found.ratio}, 95 % intervals", header, rows)
    if found.next_cells:
        yield TextTable(
            "Worth running next (expected improvement over the best measured cell, with those above it)",
            ("ratio", "general %", "improvement, points"),
            tuple((one.ratio, f"{100 * one.share:g}", f"{100 * one.improvement:.2f}") for one in found.next_cells),
        )


def of_check(found: ForecastCheck) -> TextTable:
    """Prediction beside measurement."""
    rows = tuple(
        (
            one.part,
            accuracy(one.predicted),
            ", ".join(percent(value) for value in one.runs),
            accuracy(one.measured),
            "yes" if one.inside else "NO",
            difference(one.predicted_difference),
            difference(one.measured_difference) if one.measured_difference else "",
        )
        for one in found.parts
    )
    header = ("part", "predicted %", "runs %", "measured %", "inside", "predicted to base", "measured to base")
    return TextTable(f"Prediction beside measurement: {found.cell}", header, rows)
