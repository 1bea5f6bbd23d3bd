"""Which scoring modes an engine allows, and how it reads or holds answers in them."""

from __future__ import annotations

from medctx.errors import MedctxError
from medctx.schemas.records import Mode
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.engines.protocol import Engine
from medctx_eval.planning.requests import FORMS
from medctx_eval.run.config import RunConfig
from medctx_eval.run.exam_plan import ExamPlan


def possible_modes(engine: Engine) -> tuple[Mode, ...]:
    """Modes whose forms the engine can be asked in."""
    return tuple(mode for mode, forms in FORMS.items() if set(forms) <= engine.forms)


def require_modes(config: RunConfig, engine: Engine, exam_plan: ExamPlan, name: str) -> None:
    """Refuse modes that the engine was not found to allow, naming those it does."""
    possible = possible_modes(engine)
    for mode in config.all_modes:
        if mode not in possible:
            ways = ", ".join(possible) or "no mode at all"
            raise MedctxError(
                f"The model {name!r} cannot be asked in the mode {mode!r} there; possible: {ways}. Set mode and modes "
                f"to those, for example mode={possible[-1] if possible else mode} modes=[]."
            )
    several = next((item.id for item in exam_plan.items.values() if item.multiple), None)
    if several and "letter" in config.all_modes and "text" not in possible:
        raise MedctxError(
            f"Item {several!r} has several right options, which a server that lists only its likeliest tokens cannot "
            "score by letter; use mode=generate or mode=choice."
        )


_LOGITS = {True: "float32", False: "in the steps of a half precision", None: "not told"}


def means(engine: Engine) -> dict[str, str]:
    """How each form is read or held, and how fine the logits are, in words."""
    letters, choice = "every letter's token", "held token by token"
    if isinstance(engine, EndpointEngine):
        abilities = engine.abilities
        letters = letters if abilities.tokens else f"letters among the {abilities.top_logprobs} likeliest"
        choice = abilities.held or "not possible"
    return {"letter": letters, "choice": choice, "logits": _LOGITS[engine.fine]}
