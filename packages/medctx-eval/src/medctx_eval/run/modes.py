"""Which scoring modes an engine supports, and how it scores them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from medctx.errors import MedctxError
from medctx.schemas.records import ExamItem, Mode
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.engines.protocol import Engine
from medctx_eval.prompting.prompt import FORMS


def possible_modes(engine: Engine) -> tuple[Mode, ...]:
    """Modes whose forms the engine supports."""
    return tuple(mode for mode, forms in FORMS.items() if set(forms) <= engine.forms)


def require_modes(modes: Sequence[Mode], engine: Engine, items: Iterable[ExamItem], name: str) -> None:
    """Refuse modes that the engine does not support, naming those it does.

    Args:
        modes: The modes asked for.
        engine: The engine.
        items: The items to be asked.
        name: The model's name, for the error message.
    """
    possible = possible_modes(engine)
    for mode in modes:
        if mode not in possible:
            raise _unsupported(mode, possible, engine, name)
    multiple = next((item.id for item in items if item.multiple), None)
    if multiple and "letter" in modes and "text" not in possible:
        raise MedctxError(
            f"Item {multiple!r} has several right options, which a server that lists only its likeliest tokens cannot "
            "score by letter; use mode=generate or mode=choice."
        )


def _unsupported(mode: Mode, possible: Sequence[Mode], engine: Engine, name: str) -> MedctxError:
    refusals = engine.abilities.refusals if isinstance(engine, EndpointEngine) else ()
    if not possible:
        why = f" ({refusals[-1]})" if refusals else ""
        return MedctxError(
            f"The model {name!r} cannot be asked in any mode there{why}; give the address of a server with "
            "OpenAI-compatible completions or chat."
        )
    return MedctxError(
        f"The model {name!r} cannot be asked in the mode {mode!r} there; possible: {', '.join(possible)}. Set mode and "
        f"modes to those, for example mode={possible[-1]} modes=[]."
    )


_LOGITS = {True: "float32", False: "half precision", None: "unknown"}


def means(engine: Engine) -> dict[str, str]:
    """How each form is scored or constrained, and the precision of the logits, in words."""
    letters, choice, written = "every letter's token", "constrained token by token", "greedy"
    more: Mapping[str, str] = {}
    if isinstance(engine, EndpointEngine):
        abilities = engine.abilities
        letters = letters if abilities.tokens else f"letters among the {abilities.top_logprobs} likeliest"
        choice = abilities.choice_by or "not possible"
        more = engine.means()
        written = "greedy" if engine.greedy else "sampled by the server"
    return {"letter": letters, "choice": choice, "generate": written, "logits": _LOGITS[engine.float32_logits], **more}


def means_of(asked: Iterable[Mode], engine: Engine) -> dict[str, str]:
    """The means of the modes asked, and how prompts are sent: what must not change within a run."""
    known = means(engine)
    keys = dict.fromkeys(["prompt", *(mode.partition("-")[0] for mode in asked)])
    return {key: known[key] for key in keys if key in known}
