"""What one number of an axis is, in words."""

from __future__ import annotations

from medctx.schemas.study_plan import Estimand
from medctx_eval.report.load import parts
from medctx_eval.report.model import Report
from medctx_eval.stats.formatting import percent


def _parts(estimand: Estimand) -> str:
    several = len({part.exam for part in estimand.parts}) > 1
    names = [
        f"{part.exam}, {parts.title(part.condition)}" if several else parts.title(part.condition)
        for part in estimand.parts
    ]
    if len(estimand.parts) == 1:
        return names[0]
    if len({round(part.weight, 6) for part in estimand.parts}) == 1:
        return f"the mean of {'; '.join(names)}, weighed alike"
    shares = (f"{name} ({percent(part.weight)} %)" for name, part in zip(names, estimand.parts, strict=True))
    return f"the weighted mean of {'; '.join(shares)}"


def estimand_sentence(report: Report) -> str:
    """One sentence on both axes: ``reading is the mean of open, 256 tokens; open, 1,024 tokens, weighed alike.``."""
    clauses = []
    for estimand in report.estimands:
        clause = f"{estimand.axis} is {_parts(estimand)}"
        if estimand.measure != "accuracy":
            clause += ", and its difference to base that on taught items minus that on untaught ones"
        clauses.append(clause)
    return f"{'; '.join(clauses)}." if clauses else "correct / N."
