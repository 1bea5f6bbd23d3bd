"""The report as one HTML page that opens without a network."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medctx.schemas.decision import Decision
from medctx.schemas.exam_run import total_usage
from medctx.schemas.records import Mode, Verdict
from medctx.schemas.report import KNOWLEDGE, LEARNING, READING, UNTAUGHT
from medctx.schemas.statistics import FEW_CLUSTERS, MIN_CLUSTERS
from medctx_eval.report.analyses.published import agreement
from medctx_eval.report.decision.pareto import AXES
from medctx_eval.report.load import parts
from medctx_eval.report.model import TEXT_MODES, Report
from medctx_eval.report.render.browser.document import BrowserContents
from medctx_eval.report.render.estimand import estimand_sentence, primary_sentence
from medctx_eval.report.render.figures import Picture, heat, style
from medctx_eval.stats import formatting

_SECTIONS = (
    ("gate", "Gate"),
    ("confirmation", "Selected and confirmed"),
    ("published", "Published and measured"),
    ("conditions", "By condition"),
    ("floors", "Floors"),
    ("loss", "Where reading is lost"),
    ("untaught", "Taught and untaught"),
    ("behaviour", "Behaviour"),
    ("calibration", "Calibration"),
    ("verdicts", "Verdicts"),
    ("modes", "Scoring modes"),
    ("option-orders", "Option orders"),
    ("noise", "Noise floor"),
    ("contamination", "Contamination"),
    ("training", "Training"),
    ("pairs", "All pairs"),
    ("provenance", "Provenance"),
)


@dataclass(frozen=True)
class _InlinedPicture:
    """A picture as markup of the page."""

    name: str
    caption: str
    svg: Markup


def _template_file(name: str) -> str:
    return resources.files("medctx_eval.report.render").joinpath("templates", name).read_text(encoding="utf-8").strip()


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("medctx_eval.report.render", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": formatting.percent,
        "points": formatting.points,
        "accuracy_interval": formatting.accuracy_interval,
        "difference_interval": formatting.difference_interval,
        "p": formatting.p_value,
        "part": parts.title,
        "exp": math.exp,
        "thousands": lambda value: "unknown" if value is None else f"{value:,}",
    }
    environment.globals["comparison_sentence"] = formatting.comparison_sentence
    return environment


def _content_security_policy(script: str) -> str:
    """Allow the page's own script by digest, its own styles, and no address at all."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _detectable(report: Report) -> dict[str, float]:
    """The smallest difference to the base that every comparison on an axis can detect."""
    return {
        axis: max(
            comparison.difference.detectable
            for comparison in report.family("headline")
            if comparison.part == report.measure(axis)
        )
        for axis in AXES
        if report.measure(axis) in report.parts("headline")
    }


def _split_headline(report: Report) -> tuple[str, str]:
    """The main result, and the details after the first colon or the first sentence."""
    first, stop, others = report.headline.partition(". ")
    result, colon, rest = first.partition(": ")
    if not colon:
        return first + ("." if stop else ""), others
    return f"{result}.", rest[:1].upper() + rest[1:] + stop + others


def _version_sets(report: Report) -> list[tuple[list[str], dict[str, str]]]:
    """Different sets of versions, each with the runs that were examined with it."""
    version_sets: list[tuple[list[str], dict[str, str]]] = []
    for cell in report.cells:
        for run in cell.runs:
            names = next((names for names, versions in version_sets if versions == run.manifest.versions), None)
            if names is None:
                version_sets.append(([run.name], run.manifest.versions))
            else:
                names.append(run.name)
    return [(names, versions) for names, versions in version_sets if versions]


def _axes(report: Report, mode: Mode) -> list[str]:
    examined = {score.part for score in report.scores if score.mode == mode}
    return [part for part in (KNOWLEDGE, READING) if part in examined]


def html_page(
    report: Report, pictures: Mapping[str, Picture], decision: Decision, browser: BrowserContents | None
) -> str:
    """The whole page; ``pictures`` are inlined."""
    script = _template_file("page.js")
    # Only matplotlib's own output, which escapes its texts, and files of this package enter the page as markup.
    inlined = [
        _InlinedPicture(picture.name, picture.caption, Markup(style.inline_svg(picture.figure, picture.name)))
        for picture in pictures.values()
    ]

    def named(*names: str) -> list[_InlinedPicture]:
        """Pictures with these names, including numbered ones."""
        return [
            picture
            for name in names
            for picture in inlined
            if picture.name == name or picture.name.startswith(f"{name}-")
        ]

    examined = dict.fromkeys(score.part for score in report.scores if score.mode == report.mode)
    runs = [run for cell in report.cells for run in cell.runs]
    gained_on = dict.fromkeys(gain.condition for entry in report.behaviours for gain in entry.behaviour.gains)
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            report=report,
            headline=_split_headline(report),
            decision=decision,
            # The document is JSON whose signs < > & are escaped.
            browser=browser,
            document=Markup(browser.document) if browser else "",
            pictures=named,
            css=Markup(_template_file("page.css")),
            script=Markup(script),
            policy=_content_security_policy(script),
            sections=_SECTIONS,
            runs=len(runs),
            seeded=any(len(cell.runs) > 1 for cell in report.cells),
            detectable=_detectable(report),
            axes=_axes(report, report.mode),
            mode_axes={mode: _axes(report, mode) for mode in report.modes},
            all_parts=[part for part in parts.AXES if part in examined],
            gained_on=list(gained_on),
            agreement=agreement(report.published) if report.published else None,
            untaught=UNTAUGHT,
            learning=LEARNING,
            estimand=estimand_sentence(report),
            plan=primary_sentence(report.registration) if report.registration else "",
            min_clusters=MIN_CLUSTERS,
            few_clusters=FEW_CLUSTERS,
            conditions=sorted((part for part in examined if parts.is_condition(part)), key=parts.sort_key),
            letters=sorted({letter for bias in report.letter_bias for letter in (*bias.gold, *bias.chosen)}),
            depths=heat.grid_axes(report)[1],
            folded=heat.folded(report),
            verdicts=list(Verdict),
            text_modes=TEXT_MODES,
            floored=list(dict.fromkeys(row.part for row in report.above_floors)),
            total=total_usage(run.manifest.cost for run in runs),
            version_sets=_version_sets(report),
            exams=list({card.name: card for run in runs for card in run.manifest.exams}.values()),
        )
    )
