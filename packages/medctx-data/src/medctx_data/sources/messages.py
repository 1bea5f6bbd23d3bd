"""Conversations as lists of messages, each with a speaker and a text, turned into turns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from medctx.schemas.records import Role, Turn
from medctx.tables.cells import Columns, parsed
from medctx_data.sources.row import Names, RowTurns, SourceRow, UnfitError, as_text, holds_value

SPEAKERS: Mapping[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "prompter", "patient", "问", "患者", "病人", "用户"), "user"),
    **dict.fromkeys(
        (
            "assistant",
            "ai",
            "bot",
            "chatbot",
            "gpt",
            "chatgpt",
            "bing",
            "bard",
            "model",
            "doctor",
            "physician",
            "答",
            "医生",
        ),
        "assistant",
    ),
}
TOOLS = frozenset({"tool", "function", "observation", "function_call", "tool_call", "tool_response", "ipython"})
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
WEIGHT_KEYS = ("weight", "train", "training")
CALL_KEYS = ("tool_calls", "function_call")
LEADING = "answers without a question cut from the beginning"
TRAILING = "turns without an answer cut from the end"
NO_REASONING = "reasoning left out"
SAME_SPEAKER = "turns of one speaker in a row joined"
TOOL_TURNS = "tool turns written as text"
DEVELOPER = "developer turns read as system turns"
CALLERS = frozenset({"function_call", "tool_call"})


def is_speaker(value: object) -> bool:
    """Return whether a value names a speaker whose turns are read."""
    return isinstance(value, str) and (value.lower() in SPEAKERS or value.lower() in TOOLS)


class Message(NamedTuple):
    """One message of a conversation; ``trained`` is False for an answer without loss."""

    role: Role
    text: str
    trained: bool = True


def conversation(messages: Sequence[Message], notes: Sequence[str] = ()) -> RowTurns:
    """Turns from the first question to the last answer.

    Shared conversations are cut into pieces: an answer at the beginning has lost its question, a question at the end
    its answer.
    """
    kept: list[Message] = []
    noted = list(notes)
    for message in messages:
        if kept and kept[-1].role == message.role and kept[-1].trained == message.trained:
            text = "\n\n".join(part for part in (kept[-1].text, message.text) if part)
            kept[-1] = message._replace(text=text)
            noted.append(SAME_SPEAKER)
        else:
            kept.append(message)
    while kept and kept[-1].role != "assistant":
        kept.pop()
        noted.append(TRAILING)
    leading = next((number for number, message in enumerate(kept) if message.role != "system"), len(kept))
    while leading < len(kept) and kept[leading].role == "assistant":
        kept.pop(leading)
        noted.append(LEADING)
    if not any(message.role == "assistant" for message in kept):
        raise UnfitError("has no question with an answer")
    for before, after in pairwise(kept):
        if before.role == after.role:
            raise UnfitError(f"has two turns of the {after.role} one after the other, of different weights")
        if after.role == "system":
            raise UnfitError("has a system turn amid the conversation")
    without_loss = tuple(
        number for number, message in enumerate(kept) if message.role == "assistant" and not message.trained
    )
    if len(without_loss) == sum(message.role == "assistant" for message in kept):
        raise UnfitError("has no answer with a weight above 0")
    turns = [Turn(role=message.role, content=message.text) for message in kept]
    return RowTurns(turns, without_loss, tuple(dict.fromkeys(noted)))


def _weight(message: Columns) -> bool:
    """Whether a message is trained on: weights are 0 or 1."""
    for key in WEIGHT_KEYS:
        value = message.get(key)
        if value is not None and value not in (0, 1):
            raise UnfitError(f"has a turn with {key} {value!r}; only 0 and 1 are read")
        if value is not None and not value:
            return False
    return True


def _content(message: Columns, name: str) -> str:
    """The text of a message, whose content may be a list of text parts."""
    value = message.get(name)
    if isinstance(value, list) and value and all(isinstance(part, Mapping) for part in value):
        kinds = ["text" if part.keys() == {"text"} else str(part.get("type")) for part in value]
        other = [kind for kind in kinds if kind != "text"]
        if other:
            raise UnfitError(f"has a part of the type {other[0]!r}; only text is read")
        return "".join(as_text(part.get("text"), "a part") for part in value).strip()
    if name not in message:
        raise UnfitError(f"has no column {name}")
    return as_text(value, f"the column {name}")


def _calls(message: Columns) -> list[str]:
    """The tool calls of a message, each as JSON."""
    calls = [parsed(message[key]) for key in CALL_KEYS if holds_value(message.get(key))]
    each = [call for part in calls for call in (part if isinstance(part, list) else [part])]
    functions = [call.get("function", call) if isinstance(call, Mapping) else call for call in each]
    return [json.dumps(call, ensure_ascii=False, default=str) for call in functions]


def _tagged(tag: str, text: str) -> str:
    return f"<{tag}>\n{text}\n</{tag}>"


def read_message(
    message: Columns, names: Names, *, reasoning_kept: bool, tools_kept: bool
) -> tuple[Message, list[str]]:
    """Read one message of a row.

    Args:
        message: The message as the row holds it.
        names: The column map: which keys hold ``speaker`` and ``text``.
        reasoning_kept: Whether the reasoning of an answer is put before it.
        tools_kept: Whether turns of tools are kept as text.

    Returns:
        The message, and what was not read of it.

    Raises:
        UnfitError: The speaker is unknown, or the message is one of a tool and these are not kept.
    """
    speaker_name, text_name = names.get("speaker", "role"), names.get("text", "content")
    speaker = SourceRow(message).text(speaker_name)
    calls, of_tool = _calls(message), speaker.lower() in TOOLS
    if of_tool and not tools_kept:
        raise UnfitError(f"has a turn of a tool ({speaker}); set the source's key tool_turns to keep, or leave it out")
    if calls and not tools_kept:
        raise UnfitError("has a turn that calls a tool; set the source's key tool_turns to keep, or leave it out")
    role = ("assistant" if speaker.lower() in CALLERS else "user") if of_tool else SPEAKERS.get(speaker.lower())
    if role is None:
        raise UnfitError(f"has the unknown speaker {speaker!r}")
    text = _content(message, text_name) if text_name in message or not calls else ""
    notes = [TOOL_TURNS] if of_tool or calls else []
    if of_tool:
        text = _tagged("tool_call" if role == "assistant" else "tool_response", text)
    text = "\n".join(part for part in (text, *(_tagged("tool_call", call) for call in calls)) if part)
    reasoning = next((as_text(message[key], key) for key in REASONING_KEYS if holds_value(message.get(key))), "")
    if reasoning and role == "assistant" and reasoning_kept:
        text = f"<think>\n{reasoning}\n</think>\n\n{text}"
    elif reasoning:
        notes.append(NO_REASONING)
    if speaker.lower() == "developer":
        notes.append(DEVELOPER)
    known = {speaker_name, text_name, *WEIGHT_KEYS, *REASONING_KEYS, *CALL_KEYS}
    notes += [
        f"message key {key} not read" for key, value in message.items() if key not in known and holds_value(value)
    ]
    return Message(role, text, _weight(message)), notes


def messages_in(value: object) -> list[Columns] | None:
    """Return the messages that a cell holds: a list of objects, one as JSON text, or one list per key; else None."""
    value = parsed(value)
    if isinstance(value, Mapping) and value and all(isinstance(column, list) for column in value.values()):
        # The library datasets gives lists of structs as one list per field.
        value = [dict(zip(value, values, strict=False)) for values in zip(*value.values(), strict=False)]
    if not isinstance(value, list) or not value or not all(isinstance(message, Mapping) for message in value):
        return None
    return _alternating_messages(value)


_EXCHANGES = (("human", "assistant"), ("user", "assistant"), ("human", "gpt"), ("user", "bot"), ("input", "output"))
"""Keys of objects that hold both sides of an exchange."""


def _alternating_messages(messages: list[Columns]) -> list[Columns]:
    """Objects with a question and its answer as two messages each; other messages as they are."""
    for question, answer in _EXCHANGES:
        if all(message.keys() == {question, answer} for message in messages):
            sides = (("user", question), ("assistant", answer))
            return [{"role": role, "content": message[key]} for message in messages for role, key in sides]
    return messages
