"""Which form the rows of a file have, found from the columns and values of the first rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.tables.answers import Base
from medctx.tables.cells import Columns, parsed
from medctx.tables.layouts import detect_layout, plain_name
from medctx_data.sources.card import Form
from medctx_data.sources.messages import is_speaker, messages_in
from medctx_data.sources.row import is_annotated

HEAD = 200
"""Rows that are looked at."""
QUESTIONS = (
    "question",
    "query",
    "instruction",
    "prompt",
    "problem",
    "input",
    "user",
    "human",
    "patient",
    "ask",
    "inputs",
    "frage",
    "pregunta",
    "domanda",
    "pergunta",
    "问题",
    "提问",
    "问",
)
ANSWERS = (
    "answer",
    "response",
    "output",
    "completion",
    "reply",
    "assistant",
    "doctor",
    "target",
    "targets",
    "solution",
    "answers",
    "responses",
    "antwort",
    "respuesta",
    "réponse",
    "reponse",
    "risposta",
    "resposta",
    "答案",
    "回答",
    "答",
)
CONTEXTS = ("context", "passage")
UNWANTED = frozenset({"rejected", "reject", "bad", "wrong", "incorrect", "negative"})
"""Columns with answers that no model should give."""
JUDGEMENTS = frozenset({"label", "correct", "is_correct", "accepted", "is_accepted", "good", "is_good", "thumbs_up"})
"""Columns that say of each answer whether a model should give it, as KTO's data do."""
MESSAGES = ("messages", "conversations", "conversation", "dialogue", "dialog", "chat", "turns", "contents")
TURN_LISTS = frozenset(
    {*MESSAGES, "data", "history", "utterances", "texts", "rounds", "exchanges", "dialogs", "dialogues"}
)
SPEAKERS = ("role", "from", "speaker", "sender", "author", "type")
TEXTS = ("content", "value", "text", "message", "utterance", "parts")
_DIALOGUE = frozenset({"id", "domain", "turns"})


class Guess(NamedTuple):
    """The form of rows.

    Attributes:
        form: The form.
        columns: Column of each part whose name is not the form's own.
        layout: The data set whose layout it is, ``""`` for none.
        base: Number of the first option where the layout states it.
    """

    form: Form
    columns: dict[str, str]
    layout: str = ""
    base: Base = None


def is_dialogue(row: Columns) -> bool:
    """Return whether a row has the columns of a Dialogue record."""
    return row.keys() >= _DIALOGUE


class _Table:
    """The columns of some rows with their values."""

    def __init__(self, rows: Sequence[Columns]) -> None:
        self.values: dict[str, list[object]] = {}
        for row in rows:
            for name, value in row.items():
                kept = self.values.setdefault(str(name), [])
                if value is not None and value != "":
                    kept.append(value)
        self._names = {plain_name(name): name for name, values in self.values.items() if values}

    def first(self, words: Iterable[str], but: str = "") -> str:
        """Return the first column that is named by one of ``words`` and has a value."""
        return next((name for word in words if (name := self._names.get(word, "")) and name != but), "")

    def __contains__(self, word: str) -> bool:
        """Whether a column with values is named by a word."""
        return word in self._names

    def holds_text(self, name: str) -> bool:
        """Whether the values of a column are texts, lists of texts or the answers of annotators."""
        values = self.values.get(name, [])
        return bool(values) and all(isinstance(value, str | list) or is_annotated(value) for value in values)

    def holds(self, name: str, kind: type | tuple[type, ...]) -> bool:
        """Whether the values of a column are of a kind."""
        values = self.values.get(name, [])
        return bool(values) and all(isinstance(value, kind) for value in values)


def _keys(messages: Sequence[Columns]) -> tuple[str, str] | None:
    """The keys of speaker and text in messages."""
    speaker = next((key for key in SPEAKERS if all(key in message for message in messages)), "")
    if speaker == "type" and not all(is_speaker(message[speaker]) for message in messages):
        return None
    text = next((key for key in TEXTS if any(key in message for message in messages)), "")
    return (speaker, text) if speaker and text else None


def _renamed(**names: str) -> dict[str, str]:
    """Columns whose name is not that of their part."""
    standard = {"speaker": "role", "text": "content"}
    return {part: name for part, name in names.items() if name and name != standard.get(part, part)}


def _message_columns(table: _Table) -> dict[str, tuple[str, str]]:
    columns = {}
    for name, values in table.values.items():
        lists = [messages_in(value) for value in values[:20]]
        if lists and all(messages is not None for messages in lists):
            keys = _keys([message for messages in lists if messages for message in messages])
            if keys:
                columns[name] = keys
    return columns


def _chat(table: _Table) -> Guess | None:
    columns = _message_columns(table)
    if not columns:
        return None
    if "prompt" in table.values and "completion" in table.values:
        speaker, text = columns.get("completion") or columns.get("prompt") or ("", "")
        return Guess("completion", _renamed(speaker=speaker, text=text))
    if "chosen" in columns and "rejected" in columns:
        raise MedctxError(
            "the rows hold preferences (chosen and rejected); name the answers to train on with form: chat, "
            "columns: {messages: chosen}"
        )
    named = [name for word in MESSAGES for name in columns if plain_name(name) == word]
    name = (named or list(columns))[0]
    if len(columns) > 1 and not named:
        raise MedctxError(
            f"the columns {', '.join(columns)} hold messages; name one with form: chat, columns: {{messages: {name}}}"
        )
    speaker, text = columns[name]
    return Guess("chat", _renamed(messages=name, speaker=speaker, text=text))


def _choice(rows: Sequence[Columns]) -> Guess | None:
    layout = detect_layout(rows)
    if layout is None:
        return None
    columns = _renamed(question=layout.question, options=layout.options, answer=layout.answer, context=layout.context)
    return Guess("choice", columns, layout.name, layout.base)


def _exchange(table: _Table) -> Guess | None:
    question = table.first(QUESTIONS)
    answer = table.first(ANSWERS, but=question)
    if not question and not answer and "b" not in table:  # a column B would make A an option
        question, answer = table.first(("q",)), table.first(("a",))
    if not question or not answer or not table.holds_text(question) or not table.holds_text(answer):
        return None
    if plain_name(question) == "instruction":
        extra = table.first(("input", *CONTEXTS), but=answer)
        return Guess("alpaca", _renamed(instruction=question, input=extra, output=answer))
    context = table.first(CONTEXTS)
    template = f"{{{context}}}\n\n{{{question}}}" if context else f"{{{question}}}"
    return Guess("pair", {"question": template, "answer": f"{{{answer}}}"})


def _alternating(table: _Table) -> Guess | None:
    """Lists of texts are turns where their name says so: they may be options, references or keywords as well."""
    columns = []
    for name, values in table.values.items():
        if plain_name(name) not in TURN_LISTS:
            continue
        lists = [parsed(value) for value in values[:20]]
        if lists and all(
            isinstance(texts, list) and len(texts) >= 2 and all(isinstance(text, str) for text in texts)
            for texts in lists
        ):
            columns.append(name)
    return Guess("alternating", {"turns": columns[0]}) if len(columns) == 1 else None


def _refuse_judged(table: _Table) -> None:
    """Stop at rows that hold answers which no model should give."""
    for name, values in table.values.items():
        if plain_name(name) in JUDGEMENTS and False in [value for value in values if isinstance(value, bool)]:
            raise MedctxError(
                f"the column {name} says that some answers are bad; keep the rows where it is true in a file of their "
                "own, or state the form to train on all of them"
            )


def detect_form(rows: Sequence[Columns]) -> Guess:
    """Return the form of some rows.

    Raises:
        MedctxError: None of the forms fits; the error is a clause that names the columns and what to write.
    """
    if rows and all(is_dialogue(row) for row in rows):
        return Guess("dialogues", {})
    table = _Table(rows)
    guess = _chat(table) or _choice(rows) or _exchange(table) or _alternating(table)
    if guess is not None:
        if guess.form != "choice":
            _refuse_judged(table)
        return guess
    columns = [name for name, values in table.values.items() if values]
    if columns == ["text"]:
        raise MedctxError(
            "the rows hold running text (the column text), not questions with answers; give rows with both"
        )
    texts = [name for name in columns if table.holds(name, str) and plain_name(name) not in UNWANTED]
    first, last = (texts[0], texts[-1]) if len(texts) > 1 else ("QUESTION", "ANSWER")
    example = f"form: pair, columns: {{question: '{{{first}}}', answer: '{{{last}}}'}}"
    raise MedctxError(
        f"no form is recognised in the columns {', '.join(columns) or '(none)'}; say what they hold, such as {example}"
    )


def described(form: Form, columns: Mapping[str, str], layout: str = "") -> str:
    """Return a form with its columns in words."""
    parts = ", ".join(f"{part}: {column!r}" if part != column else part for part, column in columns.items())
    return form + (f" (the layout of {layout})" if layout else "") + (f", {parts}" if parts else "")
