"""The forms in which rows come, each turned into turns. Nothing here reads a file.

A form takes a row and the card's column map. A row that does not fit raises UnfitError with a clause that says why.
Whatever a form does not read of a row is noted, so that it can be counted. Text that is null counts as empty, so that
cleaning can leave the row out under its own reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from medctx.schemas.records import Role, Turn
from medctx.tables import choices
from medctx.tables.answers import AnswerError, Convention
from medctx.tables.cells import parsed
from medctx.tables.options import LabelledOptions, options_in
from medctx_data.sources.card import Form

Columns = Mapping[str, object]
Names = Mapping[str, str]

SPEAKERS: Mapping[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human", "patient", "问", "患者", "病人", "用户"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "model", "doctor", "答", "医生"), "assistant"),
}
TOOLS = frozenset({"tool", "function", "observation", "function_call", "tool_call", "tool_response", "ipython"})
SYSTEM_COLUMNS = ("system", "system_prompt")
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
WEIGHT_KEYS = ("weight", "train", "training")
CALL_KEYS = ("tool_calls", "function_call")
JOINED = {"zh": "\uff1b"}
LEADING = "answers without a question cut from the beginning"
TRAILING = "turns without an answer cut from the end"
NO_REASONING = "reasoning left out"
SAME_SPEAKER = "turns of one speaker in a row joined"
TOOL_TURNS = "tool turns written as text"
DEVELOPER = "developer turns read as system turns"
CALLERS = frozenset({"function_call", "tool_call"})

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_SPOKEN = re.compile(rf"^\s*(?:{'|'.join(SPEAKERS)})\s*[:\uff1a]\s*", re.IGNORECASE)


class UnfitError(ValueError):
    """A row is not of the form requested: a clause that continues "the row ..."."""


class Settings(NamedTuple):
    """What reading rows needs beside the columns.

    Attributes:
        language: Language of the source, ``""`` where each row has its own.
        convention: Gives how the source names right options; called only for a row that does not say.
        reasoning: Whether the reasoning of an answer is put before it.
        tool_turns: Whether turns of tools are kept as text.
    """

    language: str
    convention: Callable[[], Convention]
    reasoning: bool = True
    tool_turns: bool = False


class RowTurns(NamedTuple):
    """What a row gives.

    Attributes:
        turns: Its turns.
        without_loss: Numbers of the answers that are not trained on, from 0 among all turns.
        notes: What was not read of it, or was cut, beside whole columns.
        unread: Columns that were not read.
    """

    turns: list[Turn]
    without_loss: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


class _Row:
    """A row that remembers which of its columns were read."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._read: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name.split(".", maxsplit=1)[0] in self.columns

    def at(self, name: str) -> object:
        """The value of a column; a dotted name reaches into a nested one."""
        value: object = self.columns
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                raise UnfitError(f"has no column {name}")
            value = value[part]
        self._read.add(name)
        return value

    def text(self, name: str) -> str:
        """The text of a column, lists of texts joined by lines."""
        return _as_text(self.at(name), f"the column {name}")

    def unread(self) -> list[str]:
        """The columns with a value that were not read."""
        names = []
        for name, value in self.columns.items():
            inner = [read for read in self._read if read.startswith(f"{name}.")]
            if inner and isinstance(value, Mapping):
                names += [
                    f"{name}.{key}" for key, part in value.items() if f"{name}.{key}" not in inner and _holds(part)
                ]
            elif name not in self._read and _holds(value):
                names.append(str(name))
        return names


def _holds(value: object) -> bool:
    return value is not None and value not in ("", [], {}, ())


def _as_text(value: object, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "\n".join(value)
    if isinstance(value, bool | int | float):
        raise UnfitError(f"has a number in {place} where text is needed")
    if not isinstance(value, str):
        raise UnfitError(f"has a {type(value).__name__} in {place} where text is needed")
    return value.strip()


def placeholders(template: str) -> list[str]:
    """Return the columns that a template names in braces."""
    return _PLACEHOLDER.findall(template)


def _filled(row: _Row, template: str) -> str:
    return _PLACEHOLDER.sub(lambda match: row.text(match[1]), template).strip()


def named(row: Columns, template: str) -> str:
    """Fill a template for an id, whose columns may be numbers."""
    return _PLACEHOLDER.sub(lambda match: str(_Row(row).at(match[1])), template).strip()


def _exchange(question: str, answer: str) -> RowTurns:
    return RowTurns([Turn(role="user", content=question), Turn(role="assistant", content=answer)])


def _history(row: _Row, name: str) -> list[Turn]:
    """The earlier exchanges of a conversation: pairs of a question and its answer."""
    value = parsed(row.at(name)) if name in row else None
    if not _holds(value):
        return []
    pairs = value if isinstance(value, list) else []
    if not pairs or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise UnfitError(f"has a {name} that is no list of pairs of a question and an answer")
    return [
        turn
        for question, answer in pairs
        for turn in _exchange(_as_text(question, f"the {name}"), _as_text(answer, f"the {name}")).turns
    ]


def _alpaca(row: _Row, names: Names, settings: Settings) -> RowTurns:
    """Instruction and input as the question. Without an instruction nothing says what to do with the input."""
    instruction = row.text(names.get("instruction", "instruction"))
    input_name = names.get("input", "input")
    given = row.text(input_name) if input_name in row else ""
    question = "\n\n".join(part for part in (instruction, given) if part) if instruction else ""
    last = _exchange(question, row.text(names.get("output", "output"))).turns
    return RowTurns([*_history(row, names.get("history", "history")), *last])


def _pair(row: _Row, names: Names, settings: Settings) -> RowTurns:
    """A question and an answer, each a template over columns."""
    return _exchange(_filled(row, names["question"]), _filled(row, names["answer"]))


class _Message(NamedTuple):
    role: Role
    text: str
    trained: bool = True


def _conversation(messages: Sequence[_Message], notes: Sequence[str] = ()) -> RowTurns:
    """Turns from the first question to the last answer.

    Shared conversations are cut into pieces: an answer at the beginning has lost its question, a question at the end
    its answer.
    """
    kept: list[_Message] = []
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
        kinds = [str(part.get("type")) for part in value]
        other = [kind for kind in kinds if kind != "text"]
        if other:
            raise UnfitError(f"has a part of the type {other[0]!r}; only text is read")
        return "".join(_as_text(part.get("text"), "a part") for part in value).strip()
    if name not in message:
        raise UnfitError(f"has no column {name}")
    return _as_text(value, f"the column {name}")


def _calls(message: Columns) -> list[str]:
    """The tool calls of a message, each as JSON."""
    calls = [parsed(message[key]) for key in CALL_KEYS if _holds(message.get(key))]
    each = [call for part in calls for call in (part if isinstance(part, list) else [part])]
    functions = [call.get("function", call) if isinstance(call, Mapping) else call for call in each]
    return [json.dumps(call, ensure_ascii=False, default=str) for call in functions]


def _tagged(tag: str, text: str) -> str:
    return f"<{tag}>\n{text}\n</{tag}>"


def _message(message: Columns, names: Names, settings: Settings) -> tuple[_Message, list[str]]:
    speaker_name, text_name = names.get("speaker", "role"), names.get("text", "content")
    speaker = _Row(message).text(speaker_name)
    calls, of_tool = _calls(message), speaker.lower() in TOOLS
    if of_tool and not settings.tool_turns:
        raise UnfitError(f"has a turn of a tool ({speaker}); set the source's key tool_turns to keep, or leave it out")
    if calls and not settings.tool_turns:
        raise UnfitError("has a turn that calls a tool; set the source's key tool_turns to keep, or leave it out")
    role = ("assistant" if speaker.lower() in CALLERS else "user") if of_tool else SPEAKERS.get(speaker.lower())
    if role is None:
        raise UnfitError(f"has the unknown speaker {speaker!r}")
    text = _content(message, text_name) if text_name in message or not calls else ""
    notes = [TOOL_TURNS] if of_tool or calls else []
    if of_tool:
        text = _tagged("tool_call" if role == "assistant" else "tool_response", text)
    text = "\n".join(part for part in (text, *(_tagged("tool_call", call) for call in calls)) if part)
    reasoning = next((_as_text(message[key], key) for key in REASONING_KEYS if _holds(message.get(key))), "")
    if reasoning and role == "assistant" and settings.reasoning:
        text = f"<think>\n{reasoning}\n</think>\n\n{text}"
    elif reasoning:
        notes.append(NO_REASONING)
    if speaker.lower() == "developer":
        notes.append(DEVELOPER)
    known = {speaker_name, text_name, *WEIGHT_KEYS, *REASONING_KEYS, *CALL_KEYS}
    notes += [f"message key {key} not read" for key, value in message.items() if key not in known and _holds(value)]
    return _Message(role, text, _weight(message)), notes


def messages_in(value: object) -> list[Columns] | None:
    """Return the messages that a cell holds: a list of objects, one as JSON text, or one list per key; else None."""
    value = parsed(value)
    if isinstance(value, Mapping) and value and all(isinstance(column, list) for column in value.values()):
        # The library datasets gives lists of structs as one list per field.
        value = [dict(zip(value, values, strict=False)) for values in zip(*value.values(), strict=False)]
    if not isinstance(value, list) or not value or not all(isinstance(message, Mapping) for message in value):
        return None
    return value


def _chat(row: _Row, names: Names, settings: Settings) -> RowTurns:
    """A list of messages, each with a speaker and a text."""
    place = names.get("messages", "messages")
    messages = messages_in(row.at(place))
    if messages is None:
        raise UnfitError(f"has no list of messages in the column {place}")
    read = [_message(message, names, settings) for message in messages]
    return _conversation([message for message, _ in read], [note for _, notes in read for note in notes])


def _completion(row: _Row, names: Names, settings: Settings) -> RowTurns:
    """A prompt and its completion, each a text or a list of messages; only the completion is trained on."""
    turns: list[_Message] = []
    noted: list[str] = []
    parts: tuple[tuple[str, Role], ...] = (("prompt", "user"), ("completion", "assistant"))
    for part, role in parts:
        place = names.get(part, part)
        messages = messages_in(row.at(place))
        if messages is None:
            turns.append(_Message(role, row.text(place)))
            continue
        for message in messages:
            read, notes = _message(message, names, settings)
            turns.append(read if part == "completion" else read._replace(trained=read.role != "assistant"))
            noted += notes
    return _conversation(turns, noted)


def _alternating(row: _Row, names: Names, settings: Settings) -> RowTurns:
    """A list of texts in turns; names of speakers before a colon are removed."""
    place = names.get("turns", "data")
    texts = parsed(row.at(place))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UnfitError(f"has no list of texts in the column {place}")
    roles: tuple[Role, Role] = ("user", "assistant")
    return _conversation([_Message(roles[at % 2], _SPOKEN.sub("", text).strip()) for at, text in enumerate(texts)])


def _options(row: _Row, place: str) -> LabelledOptions:
    """Options by letter, as ``medctx.tables.options.options_in`` reads them."""
    if not place.startswith("="):
        for name in [place] if place in row else place.split(","):
            row.at(name.strip())
    try:
        options = options_in(row.columns, place)
    except AnswerError as error:
        raise UnfitError(str(error)) from None
    if not options.texts:
        raise UnfitError(f"has no options in the column {place}")
    return options


def _choice(row: _Row, names: Names, settings: Settings) -> RowTurns:
    """A question with its options below, answered with the text of the right one (of all, where several are)."""
    options = _options(row, names.get("options", "options"))
    try:
        letters = choices.right_options(row.at(names.get("answer", "answer")), options, settings.convention)
    except AnswerError as error:
        remedy = "; set the source's key answer_base to 0 or 1" if error.base_unknown else ""
        raise UnfitError(f"{error}{remedy}") from None
    context_name = names.get("context", "context")
    context = row.text(context_name) if context_name in row else ""
    texts = options.texts
    listed = "\n".join(f"{letter}. {text}" for letter, text in texts.items())
    question = row.text(names.get("question", "question"))
    whole = "\n\n".join(part for part in (context, question, listed) if part) if question else ""
    return _exchange(whole, JOINED.get(settings.language, "; ").join(texts[letter] for letter in letters))


def answers_of(rows: Iterator[Columns], names: Names) -> Iterator[tuple[object, LabelledOptions]]:
    """Yield answers and options of the rows in the form ``choice``; other rows are left out."""
    for columns in rows:
        form = form_of(columns, "choice", names)
        if form is not None and form[0] == "choice":
            row = _Row(columns)
            try:
                yield row.at(form[1].get("answer", "answer")), _options(row, form[1].get("options", "options"))
            except UnfitError:
                continue


Shape = Callable[[_Row, Names, Settings], RowTurns]
SHAPES: Mapping[Form, Shape] = {
    "alpaca": _alpaca,
    "pair": _pair,
    "chat": _chat,
    "completion": _completion,
    "alternating": _alternating,
    "choice": _choice,
}

PARTS: Mapping[Form, frozenset[str]] = {
    "alpaca": frozenset({"instruction", "input", "output", "history", "system"}),
    "pair": frozenset({"question", "answer", "system"}),
    "chat": frozenset({"messages", "speaker", "text", "system"}),
    "completion": frozenset({"prompt", "completion", "speaker", "text", "system"}),
    "alternating": frozenset({"turns", "system"}),
    "choice": frozenset({"question", "options", "answer", "context", "system"}),
}
"""The parts of each form whose column can be named."""
TEMPLATES = frozenset({"question", "answer", "id", "fact"})
"""The parts of the form pair, and of cards, that are templates: they must name a column in braces."""


def needed(form: Form, names: Names) -> set[str]:
    """Return the columns without which a row is not of ``form``."""
    if form == "pair":
        return {name.split(".")[0] for part in ("question", "answer") for name in placeholders(names[part])}
    if form == "alpaca":
        return {names.get("instruction", "instruction"), names.get("output", "output")}
    if form == "chat":
        return {names.get("messages", "messages")}
    if form == "completion":
        return {names.get("prompt", "prompt"), names.get("completion", "completion")}
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
    ("completion", {}),
    ("pair", {"question": "{question}", "answer": "{answer}"}),
)
"""Forms tried for rows that lack the card's columns: files are passed on converted."""


def fits(row: Columns, form: Form, names: Names) -> bool:
    """Whether a row has the columns of a form. A question with options is no pair: its answer may be a letter."""
    return form in SHAPES and needed(form, names) <= row.keys() and (form != "pair" or "options" not in row)


def form_of(row: Columns, form: Form, names: Names) -> tuple[Form, Names] | None:
    """Return the card's form if a row has its columns, else the first of :data:`KNOWN` that fits; None if none does."""
    return next(((kind, columns) for kind, columns in ((form, names), *KNOWN) if fits(row, kind, columns)), None)


def _with_system(row: _Row, names: Names, read: RowTurns) -> RowTurns:
    """The turns with the text of a system column before them."""
    columns = (names["system"],) if "system" in names else SYSTEM_COLUMNS
    system = next((text for name in columns if name in row and (text := row.text(name))), "")
    first = read.turns[0]
    if not system or (first.role == "system" and first.content == system):
        return read
    if first.role == "system":
        joined = Turn(role="system", content=f"{system}\n\n{first.content}")
        return read._replace(turns=[joined, *read.turns[1:]])
    shifted = tuple(number + 1 for number in read.without_loss)
    return read._replace(turns=[Turn(role="system", content=system), *read.turns], without_loss=shifted)


def turns_of(columns: Columns, form: Form, names: Names, settings: Settings, also_read: Sequence[str] = ()) -> RowTurns:
    """Turn a row into turns, in the card's own columns or in the first of the :data:`KNOWN` forms that fits.

    Args:
        columns: The row.
        form: The card's form.
        names: The card's column map.
        settings: What reading needs beside the columns.
        also_read: Columns that are read elsewhere, such as an id.

    Raises:
        UnfitError: The row has the columns of no form, or does not fit its form.
    """
    chosen = form_of(columns, form, names)
    if chosen is None:
        wanted = sorted(needed(form, names)) if form in SHAPES else ["turns", "or those of another form"]
        raise UnfitError(f"has not the columns {', '.join(wanted)} (it has {', '.join(map(str, columns)) or 'none'})")
    row = _Row(columns)
    read = _with_system(row, chosen[1], SHAPES[chosen[0]](row, chosen[1], settings))
    return read._replace(unread=tuple(name for name in row.unread() if name not in also_read))
