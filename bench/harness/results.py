"""Results of a benchmark: JSON, Markdown and a figure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.harness.agreement import agreement
from bench.harness.measure import Measurement, Measurements, Setting
from bench.harness.numbers import paired_ratio, spread

Row = dict[str, object]
Differ = Callable[[Sequence[Measurement], Sequence[Measurement]], str]


def settings_of(measurements: Measurements) -> list[Setting]:
    """The settings that were measured, in order."""
    settings: list[Setting] = []
    for each in measurements:
        if each.setting not in settings:
            settings.append(each.setting)
    return settings


def _by_repeat(measurements: Sequence[Measurement], number: str) -> dict[int, float]:
    return {each.repeat: each.numbers[number] for each in measurements if number in each.numbers}


def answers_differ(first: Sequence[Measurement], second: Sequence[Measurement]) -> str:
    """Why the times of two arms may not be compared; "" if their answers agree or neither has any."""
    for mine, theirs in zip(first, second, strict=False):
        if mine.answers and theirs.answers:
            compared = agreement(mine.answers, theirs.answers)
            if not compared.compared:
                return "no question whose options both valued"
            if not compared.holds:
                return (
                    f"answers differ: {compared.nats:.2f} nats, {compared.same:.0%} of {compared.decided} decided "
                    f"questions of {compared.compared} the same"
                )
    return ""


def rows_of(
    measurements: Measurements, number: str, baselines: Sequence[str], differ: Differ = answers_differ
) -> list[Row]:
    """One row per setting and arm: spread of ``number``, and its ratio to each baseline that answered the same.

    Args:
        measurements: What was measured.
        number: The number to compare, such as ``seconds``.
        baselines: Arms that the others are divided by.
        differ: Says why two arms may not be compared.
    """
    rows: list[Row] = []
    for setting in settings_of(measurements):
        arms = list(dict.fromkeys(each.arm for each in measurements if each.setting == setting))
        for arm in arms:
            mine = measurements.of(arm, setting)
            values = _by_repeat(mine, number)
            if not values:
                continue
            row: Row = {"arm": arm, **setting, **spread(list(values.values()))._asdict()}
            row["numbers"] = {
                name: spread(list(_by_repeat(mine, name).values()))._asdict()
                for name in mine[0].numbers
                if name != number
            }
            row["load"] = spread([each.load for each in mine])._asdict()
            ratios: Row = {}
            for baseline in baselines:
                theirs = measurements.of(baseline, setting)
                if baseline == arm or not theirs:
                    continue
                if refusal := differ(mine, theirs):
                    ratios[baseline] = {"refused": refusal}
                elif (ratio := paired_ratio(values, _by_repeat(theirs, number))) is not None:
                    ratios[baseline] = ratio._asdict()
                    compared = [
                        agreement(first.answers, second.answers)
                        for first, second in zip(mine, theirs, strict=False)
                        if first.answers and second.answers
                    ]
                    if compared:
                        ratios[baseline]["agreement"] = compared[0]._asdict()  # type: ignore[index]
            row["ratios"] = ratios
            rows.append(row)
    return rows


def _number(value: object) -> str:
    assert isinstance(value, int | float)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _ratio(ratio: Row) -> str:
    if "refused" in ratio:
        return f"refused ({ratio['refused']})"
    return f"{_number(ratio['median'])} [{_number(ratio['least'])}, {_number(ratio['most'])}]"


def table(rows: Sequence[Row], number: str) -> str:
    """Rows as a Markdown table: medians with least and largest, ratios of pairs of the same repetition."""
    hidden = {"arm", "median", "least", "most", "n", "numbers", "ratios", "load", "model"}
    settings = list(dict.fromkeys(name for row in rows for name in row if name not in hidden))
    baselines = list(dict.fromkeys(name for row in rows for name in dict(row["ratios"])))  # type: ignore[call-overload]
    heads = ["arm", *settings, f"{number} (median [least, largest])", "n", *(f"÷ {name}" for name in baselines)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in rows:
        ratios: Row = dict(row["ratios"])  # type: ignore[call-overload]
        cells = [
            str(row["arm"]),
            *(str(row.get(name, "")) for name in settings),
            f"{_number(row['median'])} [{_number(row['least'])}, {_number(row['most'])}]",
            str(row["n"]),
            *(_ratio(ratios[name]) if name in ratios else "" for name in baselines),  # type: ignore[arg-type]
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def described(machine: object, measurements: Measurements) -> str:
    """The machine and its load in one paragraph."""
    assert isinstance(machine, dict)
    loads = [each.load for each in measurements]
    cores = machine["cores"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    busy = f"load average at the begin of a measurement {min(loads):.1f} to {max(loads):.1f}" if loads else ""
    beside = ", so other work ran beside them" if loads and max(loads) > cores + 0.5 else ""
    return (
        f"{machine['processor']}, {cores} cores, {machine['memory_gib']} GiB, {machine['system']}, Python "
        f"{machine['python']}; {packages}; revision {machine['revision']}; {busy}{beside}."
    )


def _finite(value: object) -> object:
    """``value`` with None for numbers that JSON cannot hold, such as the ends of an exponent of two sizes."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(
    folder: Path,
    name: str,
    title: str,
    sections: Sequence[tuple[str, str]],
    record: Row,
    machine: object,
    measurements: Measurements,
) -> None:
    """Write ``NAME.json`` and ``NAME.md``: title, machine, and sections of (heading, text)."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"title": title, "machine": machine, **record, "measurements": [asdict(each) for each in measurements]}
    for each in document["measurements"]:  # type: ignore[attr-defined]
        each.pop("answers")
    (folder / f"{name}.json").write_text(
        json.dumps(_finite(document), indent=1, allow_nan=False) + "\n", encoding="utf-8"
    )
    text = "\n\n".join(f"## {heading}\n\n{body}" for heading, body in sections)
    # The comments name the part that docs/results/speed.md shows.
    page = (
        f"# {title}\n\n<!-- --8<-- [start:measured] -->\n\n{described(machine, measurements)}\n\n{text}\n\n"
        "<!-- --8<-- [end:measured] -->\n"
    )
    (folder / f"{name}.md").write_text(page, encoding="utf-8")
