"""The report as one page that opens without a network."""

from __future__ import annotations

from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from medctx.records import Verdict
from medctx_eval.report import parts, style
from medctx_eval.report.model import KNOWLEDGE, READING, UNTAUGHT, Report
from medctx_eval.stats import words

CAPTIONS = {
    "differences": "Difference to the base with 95 % intervals. Right of the solid line is a gain; a reading interval "
    "that crosses the dotted margin may be a loss that matters.",
    "ratio": "Knowledge and reading over the composition of the training data; bands are 95 % intervals, dotted lines "
    "the untouched base.",
    "pareto": "Every cell at its knowledge and its reading, with 95 % intervals. Up and to the right is better.",
    "conditions": "Accuracy under every condition with 95 % intervals; evidence depths are taken together.",
}


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("medctx_eval.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": words.percent,
        "points": words.points,
        "reach": words.accuracy_interval,
        "span": words.difference_interval,
        "p": words.p_value,
        "part": parts.title,
        "verb": words.verb,
    }
    return environment


def _depths(report: Report) -> tuple[list[int], list[float]]:
    """Lengths and depths of the grid, ascending."""
    found = [place for part in report.parts("grid") if (place := parts.length_and_depth(part))]
    return sorted({tokens for tokens, _ in found}), sorted({depth for _, depth in found if depth is not None})


def page(report: Report, figures: Mapping[str, Figure]) -> str:
    """The whole page; ``figures`` are drawn into it."""
    shown = [part for part in dict.fromkeys(score.part for score in report.scores) if parts.is_condition(part)]
    lengths, depths = _depths(report)
    # Only matplotlib's own output, which escapes its texts, enters the page as markup.
    drawn = {name: Markup(style.inline(figure, name)) for name, figure in figures.items()}
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            report=report,
            figures=drawn,
            captions=CAPTIONS,
            axes=[part for part in (KNOWLEDGE, READING) if report.score(report.base, part)],
            all_parts=[part for part in (KNOWLEDGE, READING, UNTAUGHT) if report.score(report.base, part)],
            untaught=UNTAUGHT,
            conditions=shown,
            letters=sorted({letter for one in report.letters for letter in (*one.gold, *one.chosen)}),
            lengths=lengths,
            depths=depths,
            verdicts=list(Verdict),
            exams=list({card.name: card for cell in report.cells for card in cell.manifest.exams}.values()),
        )
    )
