"""Does more data still help? What the curves over the amount allow to say, in one word and one sentence.

That amount matters is tested by F. The interval of the change-point holds every c that F does not tell from the best
one (profile likelihood: Seber and Wild 1989, Nonlinear Regression, section 9.3). As c = the largest amount is the
rising curve, saturation is claimed only where the interval ends before it.
"""

from __future__ import annotations

import numpy as np

from study.law.evidence.names import number, ratio_of
from study.law.evidence.points import Measured
from study.law.model.amount_curves import (
    CURVES,
    LEVEL,
    NO_RUNS,
    PureError,
    best,
    change_interval,
    drawn,
    effect_of,
    logits,
    p_of,
    pure_error,
)
from study.law.records import Saturation, SaturationWord


def saturation(measured: Measured, margin: float, elsewhere: PureError = NO_RUNS) -> Saturation:
    """The curve over the amounts of ``measured``, runs of one composition and size and three amounts or more.

    ``margin``: the difference in accuracy that counts as none; ``elsewhere``: pure error of other cells.
    """
    amounts, values = measured.amounts, logits(measured)
    curves = {curve: best(curve, amounts, values) for curve in CURVES}
    level, turn = curves["constant"].squares, curves["change-point"]
    places, runs = len(np.unique(amounts)), len(amounts)
    free = pure_error(measured)
    known = PureError(free.squares + elsewhere.squares, free.df + elsewhere.df)
    if known.df:
        p_amount = p_of(level, free.squares, places - 1, free.df, elsewhere)
    else:
        # Where nothing repeats a cell, the curves themselves are all that tells of the difference between runs.
        p_amount = p_of(level, turn.squares, 2, runs - 3, elsewhere)
    low, high = change_interval(amounts, turn.profile, elsewhere)
    effect = effect_of(amounts, values, elsewhere)
    saturated = Saturation(
        part=measured.part,
        share=measured.runs[0].place.share,
        size=measured.runs[0].place.size,
        amounts=tuple(amounts.tolist()),
        accuracies=tuple(measured.accuracies.tolist()),
        df=known.df,
        run_sd=float(np.sqrt(known.squares / known.df)) if known.df else None,
        p_amount=p_amount,
        p_rising=p_of(level, curves["rising"].squares, 1, runs - 2, elsewhere),
        effect=effect[0],
        effect_low=effect[1],
        effect_high=effect[2],
        curves=drawn(amounts, curves),
        change=turn.bend,
        change_low=low,
        change_high=high,
        word="cannot tell",
        sentence="",
    )
    saturated = saturated.model_copy(update={"word": _word(saturated, float(turn.coefficients[1]), margin)})
    return saturated.model_copy(update={"sentence": _sentence(saturated, margin)})


def _word(saturated: Saturation, slope: float, margin: float) -> SaturationWord:
    """What the numbers allow to say. ``slope``: of the change-point curve before it is level."""
    low, high = saturated.effect_low, saturated.effect_high
    if saturated.p_amount is None or saturated.p_rising is None or low is None or high is None:
        return "cannot tell"
    if saturated.p_amount < 1 - LEVEL and slope > 0 and saturated.change_high is not None:
        return "saturates"
    if saturated.p_rising < 1 - LEVEL and saturated.effect < 0:
        return "falls"
    if saturated.p_rising < 1 - LEVEL and saturated.change_low is not None:
        # It rises; that it still does is known only where a change before the last amount but one is excluded.
        return "still rising" if saturated.change_low >= np.unique(saturated.amounts)[-2] else "cannot tell"
    # Amounts that differ, on a curve that does not rise, are no level curve.
    level = saturated.p_amount > 1 - LEVEL and saturated.p_rising > 1 - LEVEL and -margin < low and high < margin
    return "level" if level else "cannot tell"


def _sentence(saturated: Saturation, margin: float) -> str:
    span = f"{number(min(saturated.amounts))} to {number(max(saturated.amounts))}"
    where = f"{saturated.part.capitalize()} at {ratio_of(saturated.share)} over amounts of {span}"
    if saturated.word == "saturates" and saturated.change_high is not None:
        begin = "below the second amount" if saturated.change_low is None else number(saturated.change_low)
        ends = f"95 % interval of that point {begin} to {number(saturated.change_high)}"
        return f"{where} saturates: more than about {number(saturated.change)} adds nothing ({ends})."
    if saturated.word == "still rising":
        return f"{where} is still rising: no saturation is seen up to the largest."
    if saturated.word == "falls":
        return f"{where} falls: more of this data costs {saturated.part}."
    if saturated.word == "level":
        return f"{where} is level: no trend larger than {100 * margin:g} points."
    doubt = f"{where}: the data cannot tell whether it saturates"
    if saturated.p_amount is None or saturated.p_rising is None:
        return f"{doubt}, as there are no more runs than a curve has parameters; repeat cells with other seeds."
    if saturated.p_rising < 1 - LEVEL:
        return f"{doubt}: it rises ({100 * saturated.effect:+.1f} points over all), with a level end or without one."
    test = f"F test p = {saturated.p_amount:.2g}"
    if saturated.p_amount > 1 - LEVEL:
        return f"{doubt}; amounts differ no more than runs do by chance ({test})."
    return f"{doubt}, though amounts differ by more than chance ({test})."


def saturations(measured: Measured, margin: float) -> tuple[Saturation, ...]:
    """The amount curve of every composition and size that was trained on three amounts or more."""
    whole = pure_error(measured)
    lines = dict.fromkeys((run.place.share, run.place.size) for run in measured.runs)
    saturated = []
    for share, size in lines:
        group = measured.only(lambda run, share=share, size=size: (run.place.share, run.place.size) == (share, size))  # type: ignore[misc]
        if len(np.unique(group.amounts)) > 2:
            inner = pure_error(group)
            elsewhere = PureError(max(0.0, whole.squares - inner.squares), whole.df - inner.df)
            saturated.append(saturation(group, margin, elsewhere))
    return tuple(saturated)
