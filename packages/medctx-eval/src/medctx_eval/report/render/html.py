"""The report as one page that opens without a network."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medctx.schemas.records import Mode, Verdict
from medctx.schemas.report import FEWEST
from medctx_eval.engines.usage import total
from medctx_eval.report.load import parts
from medctx_eval.report.load.published import agreement
from medctx_eval.report.model import KNOWLEDGE, READING, UNTAUGHT, Report
from medctx_eval.report.render.browser import Contents
from medctx_eval.report.render.figures import Picture, heat, style
from medctx_eval.stats import FEW, words

_SECTIONS = (
    ("gate", "Gate"),
    ("published", "Published beside measured"),
    ("conditions", "By condition"),
    ("loss", "Where reading is lost"),
    ("untaught", "Untaught items"),
    ("conduct", "Knows, reads, invents"),
    ("verdicts", "Verdicts"),
    ("modes", "Scoring modes"),
    ("orders", "Option orders"),
    ("noise", "Noise floor"),
    ("contamination", "Contamination"),
    ("training", "Training"),
    ("pairs", "Every pair"),
    ("items", "Items"),
    ("made", "How it was made"),
)


@dataclass(frozen=True)
class _Inlined:
    """A picture as it stands in the page."""

    name: str
    caption: str
    inline: Markup


def _asset(name: str) -> str:
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
        "percent": words.percent,
        "points": words.points,
        "reach": words.accuracy_interval,
        "span": words.difference_interval,
        "p": words.p_value,
        "part": parts.title,
        "verb": words.verb,
        "exp": math.exp,
        "count": lambda value: "not told" if value is None else f"{value:,}",
    }
    return environment


def _policy(script: str) -> str:
    """What the page allows itself: its own script by digest, its own styles, and no address at all."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


def _sees(report: Report) -> dict[str, float]:
    """The smallest difference to the base that every comparison of an axis can see."""
    return {
        part: max(one.difference.detectable for one in report.family("headline") if one.part == part)
        for part in report.parts("headline")
    }


def _headline(report: Report) -> tuple[str, str]:
    """The finding, and what the sentence says behind a colon, or the sentences after it: what it rests on."""
    first, stop, others = report.headline.partition(". ")
    finding, colon, rest = first.partition(": ")
    if not colon:
        return first + ("." if stop else ""), others
    return f"{finding}.", rest[:1].upper() + rest[1:] + stop + others


def _version_sets(report: Report) -> list[tuple[list[str], dict[str, str]]]:
    """Different sets of versions, each with the runs that were examined with it."""
    found: list[tuple[list[str], dict[str, str]]] = []
    for cell in report.cells:
        for run in cell.runs:
            own = next((names for names, versions in found if versions == run.manifest.versions), None)
            if own is None:
                found.append(([run.name], run.manifest.versions))
            else:
                own.append(run.name)
    return [(names, versions) for names, versions in found if versions]


def _axes(report: Report, mode: Mode) -> list[str]:
    asked = {score.part for score in report.scores if score.mode == mode}
    return [part for part in (KNOWLEDGE, READING) if part in asked]


def page(report: Report, pictures: Mapping[str, Picture], champion: str, browser: Contents | None) -> str:
    """The whole page; ``pictures`` are drawn into it."""
    script = _asset("page.js")
    # Only matplotlib's own output, which escapes its texts, and files of this package enter the page as markup.
    inlined = [_Inlined(one.name, one.caption, Markup(style.inline(one.figure, one.name))) for one in pictures.values()]

    def named(*names: str) -> list[_Inlined]:
        """Pictures of these names, numbered ones among them."""
        return [one for name in names for one in inlined if one.name == name or one.name.startswith(f"{name}-")]

    asked = dict.fromkeys(score.part for score in report.scores if score.mode == report.mode)
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            report=report,
            headline=_headline(report),
            champion=champion,
            # The document is JSON whose signs < > & are escaped.
            browser=browser,
            document=Markup(browser.document) if browser else "",
            pictures=named,
            css=Markup(_asset("page.css")),
            script=Markup(script),
            policy=_policy(script),
            sections=_SECTIONS,
            runs=sum(len(cell.runs) for cell in report.cells),
            seeded=any(len(cell.runs) > 1 for cell in report.cells),
            sees=_sees(report),
            axes=_axes(report, report.mode),
            mode_axes={mode: _axes(report, mode) for mode in report.modes},
            all_parts=[part for part in parts.AXES if part in asked],
            gained_on=list(dict.fromkeys(gain.condition for one in report.conduct for gain in one.behaviour.gains)),
            agreed=agreement(report.published) if report.published else None,
            untaught=UNTAUGHT,
            fewest=FEWEST,
            few=FEW,
            conditions=sorted((part for part in asked if parts.is_condition(part)), key=parts.order),
            letters=sorted({letter for one in report.letters for letter in (*one.gold, *one.chosen)}),
            depths=heat.grid(report)[1],
            folded=heat.folded(report),
            verdicts=list(Verdict),
            total=total(run.manifest.cost for cell in report.cells for run in cell.runs),
            version_sets=_version_sets(report),
            exams=list(
                {card.name: card for cell in report.cells for run in cell.runs for card in run.manifest.exams}.values()
            ),
        )
    )
