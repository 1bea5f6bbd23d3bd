"""``law.md``: the law and the recommendation for people who read files."""

from __future__ import annotations

from collections.abc import Sequence

from study.law.output import tables
from study.law.recommend.records import ForecastCheck, Recommendation
from study.law.records import LawRecord

_FORM = (
    "Logit accuracies follow Ye et al. (arXiv 2403.16952), c + k exp(t s) in the general share s, and in the "
    "logarithms of the amount and of the size where these vary. A smooth deviation from the "
    "form, chance between runs, and chance in the items (correlated, as all runs answer the same ones) are part of "
    "every interval."
)


def _noise(record: LawRecord) -> list[str]:
    return [
        f"- {part.part}: errors by items {part.noise.origin}"
        + (
            f" (correlation {part.noise.far:.2f} between unlike and {part.noise.near:.2f} between like compositions, "
            f"{part.noise.base:.2f} with the base)."
            if part.noise.near
            else "."
        )
        for part in record.parts
    ]


def page(
    law: LawRecord,
    pictures: Sequence[str],
    recommendation: Recommendation | None = None,
    checked: ForecastCheck | None = None,
) -> str:
    """The whole page; ``pictures`` are names of files beside it."""
    lines = [f"# The mixing law of {law.study}", ""]
    if recommendation is not None:
        lines += [recommendation.sentence, ""]
        lines += [sheet.markdown() + "\n" for sheet in tables.of_recommendation(recommendation)]
    if checked is not None:
        lines += [checked.sentence, "", tables.of_check(checked).markdown(), ""]
    lines += [*(f"- {sentence}" for sentence in law.sentences), ""]
    lines += [f"![{name}]({name})" for name in pictures]
    lines += ["", "## The law", "", _FORM, "", *_noise(law), *(f"- {note}" for note in law.notes), ""]
    lines += [sheet.markdown() + "\n" for sheet in tables.of_law(law)]
    lines += ["Measured runs outside the law's interval are marked with an exclamation mark.", ""]
    return "\n".join(lines)
