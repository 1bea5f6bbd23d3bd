"""What servers say of themselves beside their list of models: the length of their context, and which model it is.

Each maker has a route of its own. None of them is needed; what a server does not say stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pydantic import JsonValue

from medctx.schemas.records import Record
from medctx_eval.engines.answers import ServedModel

Page = Callable[[str], JsonValue]
"""Reads a route of the server; None if there is none."""
LIST = "list of models"


class ModelFiles(Record):
    """The name or path of a model's files, and where the server states it."""

    name: str
    place: str


class ServerFacts(Record):
    """What a server says of a model.

    Attributes:
        length: Tokens of its context; 0 if it does not say.
        length_place: Where it says so.
        files: Where the model's files are, the likeliest first.
    """

    length: int = 0
    length_place: str = ""
    files: tuple[ModelFiles, ...] = ()


class _Route(NamedTuple):
    """A maker's route: where the length and the name of the model occur in its answer.

    ``entries`` and ``names``: the list of models in the answer, and the fields of an entry that hold a model's name.
    """

    path: str
    lengths: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    entries: str = ""
    names: tuple[str, ...] = ()


_ROUTES = (
    _Route("/props", lengths=("default_generation_settings.n_ctx", "n_ctx")),  # llama.cpp: of one slot
    _Route("/info", lengths=("max_total_tokens",), files=("model_id",)),  # TGI
    _Route("/get_model_info", files=("tokenizer_path", "model_path")),  # SGLang
    _Route("/get_server_info", lengths=("context_length",)),  # SGLang
    _Route("/api/ps", lengths=("context_length",), entries="models", names=("name", "model")),  # Ollama: as loaded
    _Route("/api/v0/models", lengths=("loaded_context_length",), entries="data", names=("id",)),  # LM Studio
    _Route("/model/info", lengths=("model_info.max_input_tokens",), entries="data", names=("model_name",)),  # LiteLLM
)
_IN_LIST = ("root", "hugging_face_id", "parent")
"""Fields of an entry of ``/v1/models`` that name the model's files (vLLM, SGLang, OpenRouter) or an adapter's base."""


def _at(value: JsonValue, path: str) -> JsonValue:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _answer(page: Page, route: _Route, model: str) -> JsonValue:
    """What a route says of the model; None if the server has no such route."""
    value = page(route.path)
    if not route.entries:
        return value
    entries, names = _at(value, route.entries), (model, f"{model}:latest")
    listed = entries if isinstance(entries, list) else []
    return next((entry for entry in listed if any(_at(entry, name) in names for name in route.names)), None)


def server_facts(page: Page | None, model: str, entry: ServedModel | None) -> ServerFacts:
    """Ask a server for the length of its context and for the name of the model's files.

    Args:
        page: Reads a route beside ``/v1``; None if the server has none, being a service under another base address.
        model: The model's name at the server.
        entry: Its entry in the server's list of models.

    Returns:
        What the server states.
    """
    length, place = (entry.positions or 0 if entry else 0), LIST
    fields = entry.fields if entry else {}
    files = [
        ModelFiles(name=name, place=f"{key} in its {LIST}")
        for key in _IN_LIST
        if isinstance(name := fields.get(key), str) and name
    ]
    for route in _ROUTES:
        if page is None:
            break
        if (length or not route.lengths) and (files or not route.files):
            continue
        answer = _answer(page, route, model)
        lengths = [value for path in route.lengths if isinstance(value := _at(answer, path), int) and value > 0]
        if lengths and not length:
            length, place = lengths[0], route.path
        names = [value for path in route.files if isinstance(value := _at(answer, path), str) and value]
        files += [ModelFiles(name=name, place=route.path) for name in names]
    return ServerFacts(length=length, length_place=place if length else "", files=tuple(files))
