"""The law and the recommendation as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from study.law.evidence.names import number, signed_points, size_name
from study.law.recommend.records import ForecastCheck, LawEstimate, Recommendation
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


def percent_text(share: float) -> str:
    """0.4567 -> ``45.7``."""
    return f"{100 * share:.1f}"


def accuracy_text(record: LawEstimate) -> str:
    """``45.7 [40.1, 51.2]``, in per cent."""
    return f"{percent_text(record.value)} [{percent_text(record.low)}, {percent_text(record.high)}]"


def difference_text(record: LawEstimate) -> str:
    """``+4.5 [-1.0, +9.9]``, in points."""
    return f"{signed_points(record.value)} [{signed_points(record.low)}, {signed_points(record.high)}]"


def _parameter(parameter: Parameter) -> str:
    estimate = LawEstimate(value=parameter.value, low=parameter.low, high=parameter.high)
    if parameter.unit == "accuracy":
        return accuracy_text(estimate)
    if parameter.unit == "points":
        return difference_text(estimate)
    return f"{parameter.value:.2f} [{parameter.low:.2f}, {parameter.high:.2f}]"


_UNITS = {"accuracy": " %", "points": ", points", "logits": ", logits", "bend": ""}


def parameters(parts: Sequence[LawPart]) -> TextTable:
    """The law's parameters, a column per part."""
    names = dict.fromkeys((parameter.name, parameter.unit) for part in parts for parameter in part.parameters)
    rows = []
    for name, unit in names:
        by_part = [next((parameter for parameter in part.parameters if parameter.name == name), None) for part in parts]
        texts = ("" if parameter is None else _parameter(parameter) for parameter in by_part)
        rows.append((name + _UNITS[unit], *texts))
    rows.append(("runs", *(str(len(part.points)) for part in parts)))
    return TextTable("The law, with 95 % intervals", ("parameter", *(part.part for part in parts)), tuple(rows))


def held_out(record: Validation) -> TextTable:
    """What was measured where the law was not shown, and what each method said; the last row is their mean error."""
    rows = [
        (
            cell.cell,
            ", ".join(percent_text(value) for value in cell.measured),
            f"{percent_text(cell.predictions['law'])} [{percent_text(cell.low)}, {percent_text(cell.high)}]"
            + ("" if cell.inside == len(cell.measured) else " !"),
            *(percent_text(cell.predictions[method]) for method in METHODS[1:]),
        )
        for cell in record.held_out
    ]
    errors = ("mean error, points", "", *(f"{100 * record.errors[method]:.2f}" for method in METHODS))
    between = (
        ("the same between cells", "", *(f"{100 * record.errors_between[method]:.2f}" for method in METHODS))
        if record.errors_between
        else None
    )
    header = ("left out", "measured %", "law % [95 %]", *(f"{METHOD_NAMES[method]}" for method in METHODS[1:]))
    title = (
        f"{record.part.capitalize()}, one {record.by} left out at a time: {record.covered} of {record.runs} runs "
        f"inside the law's 95 % intervals (rate {record.covered / record.runs:.0%}, exact interval "
        f"{record.coverage[0]:.0%} to {record.coverage[1]:.0%})"
    )
    return TextTable(title, header, (*rows, errors, *([between] if between else [])))


def _p(value: float | None) -> str:
    return "" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def amounts(saturations: Sequence[Saturation]) -> TextTable:
    """One line per amount curve."""
    rows = tuple(
        (
            f"{curve.part} at {100 * curve.share:g} % general" + (f", {size_name(curve.size)}" if curve.size else ""),
            str(len(curve.amounts)),
            _p(curve.p_amount),
            difference_text(LawEstimate(value=curve.effect, low=curve.effect_low, high=curve.effect_high))
            if curve.effect_low is not None and curve.effect_high is not None
            else signed_points(curve.effect),
            f"{number(curve.change)} [{'...' if curve.change_low is None else number(curve.change_low)}, "
            f"{'...' if curve.change_high is None else number(curve.change_high)}]",
            curve.word,
        )
        for curve in saturations
    )
    header = ("curve", "runs", "p (amount)", "rise over the range", "change-point [95 %]", "verdict")
    return TextTable("Amount", header, rows)


def of_law(record: LawRecord) -> Iterator[TextTable]:
    """Every table of a law."""
    yield parameters(record.parts)
    yield from map(held_out, record.validations)
    if record.saturations:
        yield amounts(record.saturations)


def of_recommendation(record: Recommendation) -> Iterator[TextTable]:
    """The forecast, and what to run next."""
    rows = tuple(
        (
            forecast.part,
            accuracy_text(forecast.truth),
            difference_text(forecast.gain),
            accuracy_text(forecast.measurement),
            difference_text(forecast.difference),
            f"{forecast.proves:.0%}",
        )
        for forecast in record.forecasts
    )
    header = ("part", "expected %", "to base", "will measure %", "to base", "exam proves it")
    yield TextTable(f"Forecast for {record.ratio}, 95 % intervals", header, rows)
    if record.next_cells:
        yield TextTable(
            "Worth running next (expected improvement over the best measured cell, with those above it)",
            ("ratio", "general %", "improvement, points"),
            tuple((cell.ratio, f"{100 * cell.share:g}", f"{100 * cell.improvement:.2f}") for cell in record.next_cells),
        )


def of_check(record: ForecastCheck) -> TextTable:
    """Prediction and measurement, column by column."""
    rows = tuple(
        (
            part.part,
            accuracy_text(part.predicted),
            ", ".join(percent_text(value) for value in part.runs),
            accuracy_text(part.measured),
            "yes" if part.inside else "NO",
            difference_text(part.predicted_difference),
            difference_text(part.measured_difference) if part.measured_difference else "",
        )
        for part in record.parts
    )
    header = ("part", "predicted %", "runs %", "measured %", "inside", "predicted to base", "measured to base")
    return TextTable(f"Prediction beside measurement: {record.cell}", header, rows)
