"""The forms in which rows come, each turned into turns. Nothing here reads a file.

A form takes a row and the card's column map. A row that does not fit raises UnfitError with a clause that says why.
Whatever a form does not read of a row is noted, so that it can be counted. Text that is null counts as empty, so that
cleaning can leave the row out under its own reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from medctx.schemas.records import Role, Turn
from medctx.tables import choices
from medctx.tables.answers import AnswerError, Convention
from medctx.tables.cells import Columns, parsed
from medctx.tables.options import LabelledOptions, options_in
from medctx_data.sources.card import Form
from medctx_data.sources.messages import SPEAKERS, Message, conversation, messages_in, read_message
from medctx_data.sources.row import (
    Names,
    RowTurns,
    SourceRow,
    UnfitError,
    as_text,
    exchange,
    fill,
    holds_value,
    placeholders,
)

SYSTEM_COLUMNS = ("system", "system_prompt")
JOINED = {"zh": "\uff1b"}

_SPOKEN = re.compile(rf"^\s*(?:{'|'.join(SPEAKERS)})\s*[:\uff1a]\s*", re.IGNORECASE)


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


def _history(row: SourceRow, name: str) -> list[Turn]:
    """The earlier exchanges of a conversation: pairs of a question and its answer."""
    value = parsed(row.at(name)) if name in row else None
    if not holds_value(value):
        return []
    pairs = value if isinstance(value, list) else []
    if not pairs or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise UnfitError(f"has a {name} that is no list of pairs of a question and an answer")
    return [
        turn
        for question, answer in pairs
        for turn in exchange(as_text(question, f"the {name}"), as_text(answer, f"the {name}")).turns
    ]


def _alpaca(row: SourceRow, names: Names, settings: Settings) -> RowTurns:
    """Instruction and input as the question. Without an instruction nothing says what to do with the input."""
    instruction = row.text(names.get("instruction", "instruction"))
    input_name = names.get("input", "input")
    input_text = row.text(input_name) if input_name in row else ""
    question = "\n\n".join(part for part in (instruction, input_text) if part) if instruction else ""
    last = exchange(question, row.text(names.get("output", "output"))).turns
    return RowTurns([*_history(row, names.get("history", "history")), *last])


def _pair(row: SourceRow, names: Names, settings: Settings) -> RowTurns:
    """A question and an answer, each a template over columns."""
    return exchange(fill(row, names["question"]), fill(row, names["answer"]))


def _read(message: Columns, names: Names, settings: Settings) -> tuple[Message, list[str]]:
    return read_message(message, names, reasoning_kept=settings.reasoning, tools_kept=settings.tool_turns)


def _chat(row: SourceRow, names: Names, settings: Settings) -> RowTurns:
    """A list of messages, each with a speaker and a text."""
    place = names.get("messages", "messages")
    messages = messages_in(row.at(place))
    if messages is None:
        raise UnfitError(f"has no list of messages in the column {place}")
    read = [_read(message, names, settings) for message in messages]
    return conversation([message for message, _ in read], [note for _, notes in read for note in notes])


def _completion(row: SourceRow, names: Names, settings: Settings) -> RowTurns:
    """A prompt and its completion, each a text or a list of messages; only the completion is trained on."""
    turns: list[Message] = []
    noted: list[str] = []
    parts: tuple[tuple[str, Role], ...] = (("prompt", "user"), ("completion", "assistant"))
    for part, role in parts:
        place = names.get(part, part)
        messages = messages_in(row.at(place))
        if messages is None:
            turns.append(Message(role, row.text(place)))
            continue
        for message in messages:
            read, notes = _read(message, names, settings)
            turns.append(read if part == "completion" else read._replace(trained=read.role != "assistant"))
            noted += notes
    return conversation(turns, noted)


def _alternating(row: SourceRow, names: Names, settings: Settings) -> RowTurns:
    """A list of texts in turns; names of speakers before a colon are removed."""
    place = names.get("turns", "data")
    texts = parsed(row.at(place))
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UnfitError(f"has no list of texts in the column {place}")
    roles: tuple[Role, Role] = ("user", "assistant")
    return conversation([Message(roles[at % 2], _SPOKEN.sub("", text).strip()) for at, text in enumerate(texts)])


def _options(row: SourceRow, place: str) -> LabelledOptions:
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


def _choice(row: SourceRow, names: Names, settings: Settings) -> RowTurns:
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
    return exchange(whole, JOINED.get(settings.language, "; ").join(texts[letter] for letter in letters))


def answers_of(rows: Iterator[Columns], names: Names) -> Iterator[tuple[object, LabelledOptions]]:
    """Yield answers and options of the rows in the form ``choice``; other rows are left out."""
    for columns in rows:
        form = form_of(columns, "choice", names)
        if form is not None and form[0] == "choice":
            row = SourceRow(columns)
            try:
                yield row.at(form[1].get("answer", "answer")), _options(row, form[1].get("options", "options"))
            except UnfitError:
                continue


Shape = Callable[[SourceRow, Names, Settings], RowTurns]
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
    """Return the card's form if a row has its columns, else the first of ``KNOWN`` that fits; None if none does."""
    return next(((kind, columns) for kind, columns in ((form, names), *KNOWN) if fits(row, kind, columns)), None)


def _with_system(row: SourceRow, names: Names, read: RowTurns) -> RowTurns:
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
    """Turn a row into turns, in the card's own columns or in the first of the ``KNOWN`` forms that fits.

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
        missing = sorted(needed(form, names)) if form in SHAPES else ["turns", "or those of another form"]
        raise UnfitError(f"has not the columns {', '.join(missing)} (it has {', '.join(map(str, columns)) or 'none'})")
    row = SourceRow(columns)
    read = _with_system(row, chosen[1], SHAPES[chosen[0]](row, chosen[1], settings))
    return read._replace(unread=tuple(name for name in row.unread() if name not in also_read))
