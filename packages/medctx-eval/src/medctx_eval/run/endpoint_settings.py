"""Settings that are left open and that an endpoint shows: model, tokenizer, scoring mode, room for an answer.

Each that is found is said in one line. Runs of models on this machine have nothing to find out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from medctx.errors import MedctxError
from medctx.process.progress import say
from medctx.schemas.records import Mode
from medctx_eval.engines.client import Client
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.engines.probe import listed_names
from medctx_eval.extract.thoughts import outside_thoughts
from medctx_eval.prompting import tokenizers
from medctx_eval.prompting.prompt import Tokenizer
from medctx_eval.prompting.tokenizers import BYTES, tokenizers_agree
from medctx_eval.run.config import ModelConfig, RunConfig
from medctx_eval.run.modes import possible_modes

BEST_MODES: tuple[Mode, ...] = ("text", "choice", "generate")
"""What ``auto`` chooses from, the best first."""
THINKING_TOKENS = 8192
"""Room for thoughts and answer: published evaluations of reasoning models allow 4,096 to 32,768."""
DRY_RUN_TIMEOUT_S = 10.0
_HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
_MODE_TEXT: dict[Mode, str] = {
    "text": "the likelihood of every option's text",
    "choice": "answers held to the options' letters",
    "generate": "the letter is read from the written answer",
}


class Endpoints(Protocol):
    """Opens the endpoints of a run."""

    def client(self) -> AbstractContextManager[Client]:
        """A connection to the first server."""
        ...

    def probed(self, name: str) -> EndpointEngine:
        """Open the endpoint of a model whose tokenizer is not known yet."""
        ...

    def keep(self, name: str, engine: EndpointEngine) -> None:
        """Use an engine that is open already when this model is examined."""
        ...


def _loaded(name: str, chat_template: str) -> Tokenizer | None:
    """The tokenizer of a folder or of a model on the hub; None where there is none that can render a chat."""
    try:
        is_place = Path(name).is_dir() or _HUB_ID.fullmatch(name)
        return tokenizers.load_exam_tokenizer(name, chat_template) if is_place else None
    except Exception:  # a name that no path can have, or files that the library refuses in its own ways
        return None


def _tokenizer_of(model: str, engine: EndpointEngine, chat_template: str) -> str:
    """The tokenizer that a server states or that its model is called after, unless it tokenises differently."""
    candidates = [(files.name, f"stated by the server ({files.place})") for files in engine.abilities.facts.files]
    named = "the folder that the model is called after" if Path(model).is_dir() else "the model's name on the hub"
    for name, place in dict([*candidates, (model, named)]).items():
        tokenizer = _loaded(name, chat_template)
        if tokenizer is not None and tokenizers_agree(engine.client, model, tokenizer) is not False:
            say(f"tokenizer: {name}, {place}")
            return name
    say(
        "tokenizer: bytes, because none is stated or published under the model's name; Books hold fewer tokens of the "
        "model than their condition says. Set tokenizer=<folder or hub name> if you know it."
    )
    return BYTES


def say_length(engine: EndpointEngine) -> None:
    """Say how long a sequence the server accepts."""
    facts = engine.abilities.facts
    if facts.length:
        say(f"length: {facts.length:,} tokens, stated by the server ({facts.length_place})")
    else:
        say(
            "length: not stated by the server, so nothing is held back; what it refuses as too long counts as "
            "does_not_fit. Set positions=<tokens> if you know it."
        )


def _thinks(engine: EndpointEngine) -> bool:
    whole, closed = outside_thoughts(engine.abilities.sample)
    return engine.abilities.thinks or not closed or whole.strip() != engine.abilities.sample.strip()


def _best_mode(engines: Sequence[tuple[frozenset[Mode], bool]]) -> Mode:
    """The best mode that all models can be asked in; a model that thinks is not held to a letter before it has."""
    thinks = any(thinking for _, thinking in engines)
    for mode in BEST_MODES:
        if all(mode in possible for possible, _ in engines) and not (thinks and mode == "choice"):
            return mode
    return "generate"


def _say_mode(mode: Mode, engine: EndpointEngine, *, thinks: bool) -> None:
    abilities = engine.abilities
    why = ""
    if mode == "choice":
        why = f" by {abilities.choice_by}"
    elif mode == "generate" and thinks:
        why = ": the model thinks before it answers"
    elif mode == "generate":
        words = abilities.refused.get("choice", "")
        why = ": the server returns no likelihoods of given texts and holds no answer to a choice"
        why += f" ({words})" if words else ""
    say(f"mode: {mode}, {_MODE_TEXT[mode]}{why}")


def _only_model(client: Client) -> str:
    """The model of a server that serves one, which need not be named."""
    listed = client.models()
    names = [entry.id for entry in listed or () if not entry.parent]
    if len(names) == 1:
        say(f"model: {names[0]}, the only one that the server serves")
        return names[0]
    what = f"it serves {listed_names(names)}" if names else "the server lists none"
    raise MedctxError(f"No model is named ({what}); give --model with the model's name at {client.url}.")


class _Opened:
    """The endpoints of a run's models as they are probed; that of the first stays open for its examination."""

    def __init__(self, models: Iterable[ModelConfig], session: Endpoints) -> None:
        self._models, self._session = list(models), session

    def first(self) -> EndpointEngine:
        """The first model's endpoint."""
        name = self._models[0].name
        engine = self._session.probed(name)
        self._session.keep(name, engine)
        return engine

    def abilities(self, first: EndpointEngine, *, in_bytes: bool) -> list[tuple[frozenset[Mode], bool]]:
        """For each model that can be reached: the modes it can be asked in, and whether it thinks."""
        abilities = []
        for model in self._models:
            is_first = model is self._models[0]
            try:
                engine = first if is_first else self._session.probed(model.name)
            except MedctxError:
                continue  # Its own turn reports it.
            possible = set(possible_modes(engine))
            if in_bytes and tokenizers_agree(engine.client, model.name, tokenizers.ByteTokenizer()) is not True:
                engine.without_tokens()
                possible = set(possible_modes(engine))
            abilities.append((frozenset(possible), _thinks(engine)))
            if not is_first:
                engine.close()
        return abilities


def settle(config: RunConfig, session: Endpoints) -> RunConfig:
    """Fill in what a config leaves open, by asking its endpoint.

    Args:
        config: The config of a run at an endpoint.
        session: Opens the endpoints.

    Returns:
        The config with models, tokenizer, mode and answer_tokens.

    Raises:
        MedctxError: If the first model's endpoint cannot be asked.
    """
    if not config.models:
        with session.client() as client:
            config = config.model_copy(update={"models": (ModelConfig(name=_only_model(client)),)})
    folder = config.models[0].folder
    name = config.tokenizer or (str(folder) if folder else "")
    open_answer = "answer_tokens" not in config.model_fields_set and "generate" in (*config.modes, config.mode)
    if name and config.mode != "auto" and not open_answer:
        return config
    opened = _Opened(config.models, session)
    engine = opened.first()
    name = name or _tokenizer_of(config.models[0].name, engine, config.chat_template)
    changes: dict[str, object] = {"tokenizer": name}
    abilities = opened.abilities(engine, in_bytes=name == BYTES) if config.mode == "auto" or open_answer else []
    thinks = any(thinking for _, thinking in abilities)
    mode = config.headline_mode
    if config.mode == "auto":
        mode = _best_mode(abilities)
        _say_mode(mode, engine, thinks=thinks)
        changes["mode"] = mode
    if thinks and "answer_tokens" not in config.model_fields_set and "generate" in (mode, *config.modes):
        length = config.positions or engine.max_positions
        changes["answer_tokens"] = min(THINKING_TOKENS, length // 2) if length else THINKING_TOKENS
        doubt = "" if engine.abilities.sample.strip() else f"; set answer_tokens={config.answer_tokens} if it does not"
        say(f"answer_tokens: {changes['answer_tokens']:,}, because the model thinks before it answers{doubt}")
    return config.model_copy(update=changes)


def settle_for_estimate(config: RunConfig, session: Endpoints) -> RunConfig:
    """Fill in what a config leaves open for a dry run, which goes on where no server answers."""
    try:
        return settle(config, session)
    except MedctxError as error:
        if not config.models:
            raise
        say(f"{error} The estimate is for mode=generate and tokenizer=bytes where the config leaves them open.")
        mode = "generate" if config.mode == "auto" else config.mode
        return config.model_copy(update={"mode": mode, "tokenizer": config.tokenizer or BYTES})
