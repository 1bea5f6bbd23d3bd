"""Pictures of the law, of the amount curves and of a recommendation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medctx import plotting as figures
from study.law.evidence.evidence import Interval
from study.law.evidence.names import number, ratio_of, size_name
from study.law.recommend.records import ForecastCheck, Recommendation
from study.law.records import LawCurve, LawPart, LawRecord, Saturation

Intervals = Mapping[tuple[str, str], Interval]
LINES = ("-", "--", "-.", ":")
OF_PART = {"knowledge": (figures.BLUE, "o"), "reading": (figures.VERMILLION, "s")}


def _label(curve: LawCurve) -> str:
    labels = [size_name(curve.size) if curve.size else "", number(curve.amount) if curve.amount else ""]
    return ", ".join(word for word in labels if word)


def _band(axes: Axes, curve: LawCurve, colour: str, line: str, label: str) -> None:
    axes.fill_between(curve.at, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(curve.at, curve.value, color=colour, linestyle=line, linewidth=1.6, label=label)


def _points(axes: Axes, part: LawPart, curve: LawCurve, intervals: Intervals, colour: str, marker: str) -> None:
    """The cells of a curve with their reported intervals; where there are several runs, each as a dash."""
    shown = [
        run
        for run in part.points
        if run.size == curve.size
        and (run.amount == curve.amount if curve.over == "ratio" else run.share == curve.share)
    ]
    for cell in dict.fromkeys(run.cell for run in shown):
        runs = [run for run in shown if run.cell == cell]
        at = runs[0].share if curve.over == "ratio" else runs[0].amount or 0.0
        value = float(np.mean([run.accuracy for run in runs]))
        known = intervals.get((part.part, cell))
        reach = [[max(0.0, value - known.low)], [max(0.0, known.high - value)]] if known else None
        axes.errorbar([at], [value], reach, fmt=marker, color=colour, markersize=5.5, elinewidth=0.8, capsize=2)
        if len(runs) > 1:
            axes.plot([at] * len(runs), [run.accuracy for run in runs], "_", color=colour, markersize=9)


def _share_axis(axes: Axes, shares: Sequence[float]) -> None:
    """Ratios under the measured shares, leaving out those that would touch."""
    kept: list[float] = []
    for share in sorted(set(shares)):
        if not kept or share - kept[-1] > 0.06:
            kept.append(share)
    axes.set_xticks(kept, labels=[ratio_of(share) for share in kept])
    axes.set_xlabel("training data, general : medical")


def law_figure(record: LawRecord, intervals: Intervals) -> Figure:
    """Every part of the law over composition and amount, a pair of axes each; bands are 95 % intervals of the law."""
    drawn = [
        (part, over, curves)
        for part in record.parts
        for over in ("ratio", "amount")
        if (curves := [curve for curve in part.curves if curve.over == over])
    ]
    columns = min(2, max(1, len(drawn)))
    lines = -(-len(drawn) // columns)
    with figures.look():
        figure = Figure(figsize=(5.2 * columns, 4.0 * max(1, lines)), layout="constrained")
        for place, (part, over, curves) in enumerate(drawn):
            axes = figure.add_subplot(lines, columns, place + 1)
            for order, curve in enumerate(curves):
                single = len(curves) == 1
                colour, marker = OF_PART[part.part] if single else _look(order)
                name = _label(curve) if over == "ratio" else f"{ratio_of(curve.share or 0.0)} {_label(curve)}"
                _band(axes, curve, colour, LINES[order % len(LINES)], "" if single else name)
                _points(axes, part, curve, intervals, colour, marker)
            _finish(axes, part, over, curves)
    return figure


def _look(order: int) -> tuple[str, str]:
    return figures.COLOURS[order % len(figures.COLOURS)], figures.MARKERS[order % len(figures.MARKERS)]


def _beside(axes: Axes, level: float, text: str, colour: str, at: Literal["bottom", "top", "center"]) -> None:
    """Words at the right end of a level, outside: inside they would lie on the cells of general data alone."""
    axes.text(1.01, level, text, transform=axes.get_yaxis_transform(), color=colour, fontsize=8, va=at)


def _finish(axes: Axes, part: LawPart, over: str, curves: Sequence[LawCurve]) -> None:
    if part.base is not None:
        axes.axhline(part.base, color=figures.FAINT, linewidth=1, linestyle=":")
        _beside(axes, part.base, "base", figures.INK, "center")
    if over == "ratio":
        _share_axis(axes, [run.share for run in part.points])
    else:
        _amount_axis(axes, [run.amount or 1.0 for run in part.points])
    axes.set_ylabel(f"{part.part}, accuracy in %")
    figures.percentages(axes.yaxis)
    if len(curves) > 1:
        axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(4, len(curves)))


def _amount_axis(axes: Axes, amounts: Sequence[float]) -> None:
    axes.set_xscale("log")
    kept: list[float] = []
    for amount in sorted(set(amounts)):
        if not kept or amount > 1.6 * kept[-1]:
            kept.append(amount)
    axes.set_xticks(kept, labels=[number(amount) for amount in kept])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("amount of training data")


CURVE_LOOK = {"constant": ":", "rising": "-.", "exponential": "--", "change-point": "-"}


def saturation_figure(record: Saturation) -> Figure:
    """An amount curve: runs, the four fitted curves, and the interval of the change-point."""
    with figures.look():
        figure = Figure(figsize=(5.2, 3.8), layout="constrained")
        axes = figure.add_subplot()
        colour, marker = OF_PART[record.part]
        low, high = record.change_low or min(record.amounts), record.change_high or max(record.amounts)
        axes.axvspan(low, high, color=figures.FAINT, alpha=0.15, linewidth=0, label="change-point, 95 %")
        for curve in record.curves:
            axes.plot(
                curve.at, curve.accuracies, color=figures.INK, linestyle=CURVE_LOOK[curve.curve], linewidth=1.1,
                label=curve.curve,
            )  # fmt: skip
        axes.plot(record.amounts, record.accuracies, marker, color=colour, markersize=6)
        _amount_axis(axes, record.amounts)
        axes.set_ylabel(f"{record.part}, accuracy in %")
        figures.percentages(axes.yaxis)
        axes.set_title(f"{ratio_of(record.share)}: {record.word}", fontsize=10, loc="left")
        figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure


def saturation_figures(record: LawRecord) -> Iterator[tuple[str, Figure]]:
    """One picture per amount curve, by the name of its file."""
    for place, curve in enumerate(record.saturations, start=1):
        yield (
            (f"amount-{curve.part}" if len(record.saturations) < 3 else f"amount-{curve.part}-{place}"),
            saturation_figure(curve),
        )


def recommendation(
    record: Recommendation, points: Sequence[LawPart], intervals: Intervals, checked: ForecastCheck | None = None
) -> Figure:
    """Both laws at the recommended amount with the recommended share, above the probability that reading is kept."""
    with figures.look():
        figure = Figure(figsize=(6.6, 5.6), layout="constrained")
        margin = record.options.margin
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
        for drawn in record.curves:
            part = next(candidate for candidate in points if candidate.part == drawn.part)
            colour, marker = OF_PART[part.part]
            curve = LawCurve(
                over="ratio",
                amount=record.amount,
                size=record.size,
                share=None,
                at=record.shares,
                value=drawn.value,
                low=drawn.low,
                high=drawn.high,
            )
            _band(upper, curve, colour, "-" if part.part == "knowledge" else "--", part.part)
            _points(upper, part, curve, intervals, colour, marker)
            if part.base is not None:
                upper.axhline(part.base, color=colour, linewidth=1, linestyle=":")
                _beside(upper, part.base, f"base,\n{part.part}", colour, "bottom")
                if part.part == "reading" and margin is not None:
                    upper.axhline(part.base - margin, color=colour, linewidth=1)
                    _beside(upper, part.base - margin, f"less {100 * margin:g}\npoints", colour, "top")
        for forecast in record.forecasts:
            colour = OF_PART[forecast.part][0]
            measurement = forecast.measurement
            reach = [[measurement.value - measurement.low], [measurement.high - measurement.value]]
            upper.errorbar(
                [record.share], [measurement.value], reach, fmt="none", ecolor=colour, elinewidth=5, alpha=0.45
            )
        if checked is not None:
            for result in checked.parts:
                upper.plot(
                    [record.share], [result.measured.value], "*", color=OF_PART[result.part][0], markersize=15,
                    markeredgecolor="white", label=f"{result.part}, measured afterwards",
                )  # fmt: skip
        upper.axvline(
            record.share, color=figures.GREEN, linewidth=1.4, label=f"{record.ratio}; thick: its exam, foretold"
        )
        lower.axvline(record.share, color=figures.GREEN, linewidth=1.4)
        upper.set_ylabel("accuracy, %")
        figures.percentages(upper.yaxis)
        name = "recommended" if record.word == "recommended" else f"chosen ({record.word})"
        upper.set_title(f"{record.study}: {record.ratio} {name}", fontsize=10, loc="left")
        _keeping(lower, record)
        shown = [axes.get_legend_handles_labels() for axes in (upper, lower)]
        handles, labels = (both[0] + both[1] for both in zip(*shown, strict=True))
        # Three columns: four of the longest names are wider than the figure.
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
        _share_axis(lower, [run.share for part in points for run in part.points])
    return figure


def _keeping(axes: Axes, record: Recommendation) -> None:
    """The probability that reading is kept, and the distribution of the optimum."""
    axes.plot(record.shares, record.keeps, color=figures.INK, linewidth=1.4)
    axes.axhline(record.options.confidence, color=figures.FAINT, linewidth=1, linestyle=":")
    axes.axvspan(
        record.optimum.low, record.optimum.high, color=figures.GREEN, alpha=0.15, linewidth=0, label="best one, 95 %"
    )
    axes.set_ylim(0, 1.05)
    figures.percentages(axes.yaxis)
    axes.set_ylabel("reading kept,\n%")
