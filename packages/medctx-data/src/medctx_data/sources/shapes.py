"""The handful of shapes rows come in, each turned into turns. Nothing here reads a file.

A shape takes a row and the card's column map; a row that does not fit raises UnfitError with a clause that says why.
Text that is null counts as empty, so that cleaning can leave it out under its own reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from medctx.schemas.records import Role, Turn
from medctx_data.sources.card import Form

Columns = Mapping[str, object]
Names = Mapping[str, str]

SPEAKERS: Mapping[str, Role] = {
    "system": "system",
    **dict.fromkeys(("user", "human", "patient", "问", "患者", "病人", "用户"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "model", "doctor", "答", "医生"), "assistant"),
}
LETTERS = "ABCDEFGHIJKL"
JOINED = {"zh": "\uff1b"}

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_SPOKEN = re.compile(rf"^\s*(?:{'|'.join(SPEAKERS)})\s*[:\uff1a]\s*", re.IGNORECASE)
_LETTERED = re.compile(r"[A-L][A-L\s,;\uff0c\uff1b\u3001]*")
_LISTED = re.compile(r"^\s*\(?([A-L])[\s.\uff0e\u3001:\uff1a)]\s*(.*)$")


class UnfitError(ValueError):
    """A row is not of the shape asked: a clause that goes on from "the row ..."."""


def _at(row: Columns, name: str) -> object:
    """The value of a column; a dotted name reaches into a nested one."""
    value: object = row
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise UnfitError(f"has no column {name}")
        value = value[part]
    return value


def _text(row: Columns, name: str) -> str:
    value = _at(row, name)
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "\n".join(value)
    if isinstance(value, bool | int | float):
        raise UnfitError(f"has a number in the column {name} where text is needed")
    if not isinstance(value, str):
        raise UnfitError(f"has a {type(value).__name__} in the column {name} where text is needed")
    return value.strip()


def placeholders(template: str) -> list[str]:
    """The columns a template names in braces."""
    return _PLACEHOLDER.findall(template)


def filled(row: Columns, template: str) -> str:
    """``template`` with the columns it names in braces."""
    return _PLACEHOLDER.sub(lambda match: _text(row, match[1]), template).strip()


def named(row: Columns, template: str) -> str:
    """``filled`` for ids, which may be numbers."""
    return _PLACEHOLDER.sub(lambda match: str(_at(row, match[1])), template).strip()


def _asked(question: str, answer: str) -> list[Turn]:
    return [Turn(role="user", content=question), Turn(role="assistant", content=answer)]


def alpaca(row: Columns, names: Names, language: str) -> list[Turn]:
    """Instruction and input as the question. Without an instruction nothing is said about what to do with the input."""
    instruction = _text(row, names.get("instruction", "instruction"))
    input_name = names.get("input", "input")
    given = _text(row, input_name) if input_name in row else ""
    question = "\n\n".join(part for part in (instruction, given) if part) if instruction else ""
    return _asked(question, _text(row, names.get("output", "output")))


def pair(row: Columns, names: Names, language: str) -> list[Turn]:
    """A question and an answer, each a template over columns."""
    return _asked(filled(row, names["question"]), filled(row, names["answer"]))


def _exchanges(spoken: Sequence[tuple[Role, str]]) -> list[Turn]:
    """Turns from the first that is not an answer to the last answer.

    Shared conversations are cut into pieces: an answer at the beginning has lost its question, a question at the end
    its answer.
    """
    turns = list(spoken)
    while turns and turns[-1][0] != "assistant":
        turns.pop()
    while turns and turns[0][0] == "assistant":
        turns.pop(0)
    if not turns:
        raise UnfitError("has no question with an answer")
    for (before, _), (after, _) in pairwise(turns):
        if before == after:
            raise UnfitError(f"has two turns of the {after} one after the other")
        if after == "system":
            raise UnfitError("has a system turn amid the conversation")
    return [Turn(role=role, content=text) for role, text in turns]


def chat(row: Columns, names: Names, language: str) -> list[Turn]:
    """A list of messages: ShareGPT's conversations, the messages of chat interfaces."""
    place = names.get("messages", "messages")
    messages = _at(row, place)
    if isinstance(messages, Mapping) and all(isinstance(column, list) for column in messages.values()):
        # The library datasets gives lists of structs as one list for each of their fields.
        messages = [dict(zip(messages, values, strict=False)) for values in zip(*messages.values(), strict=False)]
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        raise UnfitError(f"has no list of messages in the column {place}")
    spoken: list[tuple[Role, str]] = []
    for message in messages:
        speaker = _text(message, names.get("speaker", "role"))
        role = SPEAKERS.get(speaker.lower())
        if role is None:
            raise UnfitError(f"has the unknown speaker {speaker!r}")
        spoken.append((role, _text(message, names.get("text", "content"))))
    return _exchanges(spoken)


def alternating(row: Columns, names: Names, language: str) -> list[Turn]:
    """A list of texts taken in turns; names of speakers before a colon are taken off."""
    place = names.get("turns", "data")
    texts = _at(row, place)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UnfitError(f"has no list of texts in the column {place}")
    roles: tuple[Role, Role] = ("user", "assistant")
    return _exchanges([(roles[at % 2], _SPOKEN.sub("", text).strip()) for at, text in enumerate(texts)])


def _options(row: Columns, place: str) -> dict[str, str]:
    """Options by letter: the same for all rows ("=yes|no"), or from several columns, a mapping, a list or lines."""
    if place.startswith("="):
        return dict(zip(LETTERS, place[1:].split("|"), strict=False))
    if "," in place:
        return dict(zip(LETTERS, (_text(row, name.strip()) for name in place.split(",")), strict=False))
    value = _at(row, place)
    if isinstance(value, Mapping):
        return {str(letter): str(text).strip() for letter, text in value.items() if text is not None}
    if isinstance(value, str):
        found = [_LISTED.match(line) for line in value.splitlines() if line.strip()]
        return {match[1]: match[2].strip() for match in found if match}
    if isinstance(value, list) and all(isinstance(one, Mapping) and {"key", "value"} <= one.keys() for one in value):
        return {str(one["key"]): str(one["value"] or "").strip() for one in value}
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return {letter: one.strip() for letter, one in zip(LETTERS, value, strict=False)}
    raise UnfitError(f"has no options in the column {place}")


def _golds(row: Columns, place: str, offered: Mapping[str, str]) -> list[str]:
    """The letters of the right options: a number counts from 0, text is an option's or names one letter or several."""
    value = _at(row, place)
    letters: list[str] = []
    if isinstance(value, int) and not isinstance(value, bool):
        letters = list(LETTERS[value : value + 1]) if value >= 0 else []
    elif isinstance(value, str):
        letters = [letter for letter, text in offered.items() if text.casefold() == value.strip().casefold()]
        if not letters and _LETTERED.fullmatch(value.strip()):
            letters = sorted(set(re.findall("[A-L]", value)))
    if not letters or any(letter not in offered for letter in letters):
        raise UnfitError(f"has the gold {value!r}, which is none of its options {', '.join(offered)}")
    return letters


def choice(row: Columns, names: Names, language: str) -> list[Turn]:
    """A question with its options below, answered with the text of the right one (of all, where several are)."""
    options = _options(row, names.get("options", "options"))
    golds = _golds(row, names.get("answer", "answer"), options)
    context_name = names.get("context", "context")
    context = _text(row, context_name) if context_name.split(".")[0] in row else ""
    listed = "\n".join(f"{letter}. {text}" for letter, text in options.items())
    question = _text(row, names.get("question", "question"))
    whole = "\n\n".join(part for part in (context, question, listed) if part) if question else ""
    return _asked(whole, JOINED.get(language, "; ").join(options[letter] for letter in golds))


Shape = Callable[[Columns, Names, str], list[Turn]]
SHAPES: Mapping[Form, Shape] = {
    "alpaca": alpaca,
    "pair": pair,
    "chat": chat,
    "alternating": alternating,
    "choice": choice,
}


PARTS: Mapping[Form, frozenset[str]] = {
    "alpaca": frozenset({"instruction", "input", "output"}),
    "pair": frozenset({"question", "answer"}),
    "chat": frozenset({"messages", "speaker", "text"}),
    "alternating": frozenset({"turns"}),
    "choice": frozenset({"question", "options", "answer", "context"}),
}
"""The parts of each form that may be told which column they are in."""


def needed(form: Form, names: Names) -> set[str]:
    """The columns without which a row is not of ``form``."""
    if form == "pair":
        return {name.split(".")[0] for part in ("question", "answer") for name in placeholders(names[part])}
    if form == "alpaca":
        return {names.get("instruction", "instruction"), names.get("output", "output")}
    if form == "chat":
        return {names.get("messages", "messages")}
    if form == "alternating":
        return {names.get("turns", "data")}
    options = names.get("options", "options")
    columns = () if options.startswith("=") else (name.strip() for name in options.split(","))
    return {names.get("question", "question"), names.get("answer", "answer"), *columns}


KNOWN: tuple[tuple[Form, Names], ...] = (
    ("alpaca", {}),
    ("chat", {"messages": "messages"}),
    ("chat", {"messages": "conversations", "speaker": "from", "text": "value"}),
    ("choice", {}),
    ("pair", {"question": "{question}", "answer": "{answer}"}),
)
"""What rows are taken for whose columns are not the card's: files are passed on converted."""


def fits(row: Columns, form: Form, names: Names) -> bool:
    """Whether a row has the columns a form needs. A question with options is no pair: its answer may be a letter."""
    return form in SHAPES and needed(form, names) <= row.keys() and (form != "pair" or "options" not in row)


def turns_of(row: Columns, form: Form, names: Names, language: str) -> list[Turn]:
    """The turns of a row: in the card's own columns, else in the first of the :data:`KNOWN` that has all it needs."""
    for kind, columns in ((form, names), *KNOWN):
        if fits(row, kind, columns):
            return SHAPES[kind](row, columns, language)
    requested = sorted(needed(form, names)) if form in SHAPES else ["turns", "or those of another form"]
    raise UnfitError(f"has not the columns {', '.join(requested)} (it has {', '.join(map(str, row)) or 'none'})")
