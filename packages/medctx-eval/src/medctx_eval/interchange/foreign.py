"""An examined model as another harness logged it, in one form for all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from medctx.schemas.records import Mode, Verdict

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
NO_OPTIONS = ("right",)
"""Stands for the gold of items without options, which are only right or wrong."""

SHORTENED = re.compile(r"\.\.\.(?:\s*\(content truncated\))?\s*\Z")
"""What inspect writes at the end of a text that it shortened."""
_LISTED = re.compile(r"^[ \t]*\(?([A-Z])[).:][ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_LABEL = re.compile(r"^\s*(?:question|q|frage|pregunta|问题)\s*[:\uff1a]\s*", re.IGNORECASE)
_LETTER = re.compile(r"\s*\(?([A-Za-z])[).:]?\s*")

_QUESTIONS = ("question", "query", "stem", "input", "problem", "prompt", "sent1", "Question", "Problem")
_OPTIONS = ("choices", "options", "endings", "candidates", "answers")
_OPTION_COLUMNS = (
    ("opa", "opb", "opc", "opd", "ope"),
    ("ending0", "ending1", "ending2", "ending3"),
    tuple(LETTERS[:10]),
)
_PASSAGES = ("context", "passage", "article", "document", "abstract", "contexts", "CONTEXTS")
_IDS = ("id", "_id", "question_id", "qid", "uid", "item_id", "sample_id", "doc_id")


@dataclass(frozen=True, slots=True)
class ForeignAnswer:
    """What a model answered to one item.

    Attributes:
        exam: Name of the task.
        item: The item's own id, or a hash of its document.
        question: The question; the whole prompt if it cannot be told apart.
        options: The option texts in the order of their letters; empty if unknown.
        gold: Right letters; ``NO_OPTIONS`` for items without options.
        chosen: Letters chosen; empty if none was read.
        verdict: The outcome, as the harness scored it.
        mode: The scoring mode it corresponds to.
        order: The repetition (epoch), from 0.
        passage: The text before the question; empty for closed-book items.
        detail: What was written, in short.
        cluster: What its statistics are clustered by, where the log states it; else items of one passage are one.
    """

    exam: str
    item: str
    question: str
    options: tuple[str, ...]
    gold: tuple[str, ...]
    chosen: tuple[str, ...]
    verdict: Verdict
    mode: Mode
    order: int = 0
    passage: str = ""
    detail: str = ""
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class ForeignRun:
    """All answers of one model.

    Attributes:
        model: Name of the model.
        harness: Name and version of the harness.
        source: The file or folder read.
        answers: Its answers.
        means: How modes were scored, where it differs from ours.
    """

    model: str
    harness: str
    source: Path
    answers: tuple[ForeignAnswer, ...]
    means: dict[str, str] = field(default_factory=dict)


def letter_of(text: str, options: Sequence[str]) -> str:
    """Return the letter that a short answer names, by letter or by an option's text; "" if none."""
    letter = _LETTER.fullmatch(text)
    if letter and (not options or letter[1].upper() in LETTERS[: len(options)]):
        return letter[1].upper()
    stripped = text.strip().casefold()
    places = [place for place, option in enumerate(options) if option.strip().casefold() == stripped]
    return LETTERS[places[0]] if len(places) == 1 else ""


def split_prompt(prompt: str) -> tuple[str, tuple[str, ...]]:
    """Return the question and the options that a prompt lists by letter; no options if it lists none."""
    runs: list[list[re.Match[str]]] = []
    for match in _LISTED.finditer(prompt):
        if runs and match[1] == LETTERS[min(len(runs[-1]), len(LETTERS) - 1)]:
            runs[-1].append(match)
        elif match[1] == "A":
            runs.append([match])
    complete = [run for run in runs if len(run) > 1]
    if not complete:
        return _LABEL.sub("", re.sub(r"\n\s*Answer:\s*\Z", "", prompt)).strip(), ()
    last = complete[-1]
    before = prompt[: last[0].start()].rstrip()
    question = before.rsplit("\n\n", 1)[-1]
    return _LABEL.sub("", question).strip(), tuple(match[2] for match in last)


def _texts(value: object) -> tuple[str, ...]:
    """The texts of options in one of the layouts that data sets use."""
    if isinstance(value, Mapping):
        texts = value.get("text")
        if isinstance(texts, Sequence) and not isinstance(texts, str):
            return tuple(str(text) for text in texts)
        return tuple(str(value[letter]) for letter in LETTERS if letter in value)
    if not isinstance(value, Sequence) or isinstance(value, str):
        return ()
    entries = [entry.get("text", entry.get("value")) if isinstance(entry, Mapping) else entry for entry in value]
    return tuple(str(entry) for entry in entries) if all(entry is not None for entry in entries) else ()


def option_texts(document: Mapping[str, object]) -> tuple[str, ...]:
    """Return the option texts of a data set's row; none if it has no known layout."""
    for name in _OPTIONS:
        if texts := _texts(document.get(name)):
            return texts
    for columns in _OPTION_COLUMNS:
        texts = tuple(str(document[column]) for column in columns if document.get(column))
        if len(texts) > 1:
            return texts
    return ()


def question_of(document: Mapping[str, object]) -> str:
    """Return the question of a data set's row, "" if no known column holds it."""
    for name in _QUESTIONS:
        value = document.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, Mapping) and isinstance(value.get("stem"), str):
            return str(value["stem"]).strip()
    return ""


def passage_of(document: Mapping[str, object]) -> str:
    """Return the text before the question in a data set's row, "" if there is none."""
    for name in _PASSAGES:
        value = document.get(name)
        if isinstance(value, str) and value.strip():
            return value
        if isinstance(value, Mapping | Sequence) and not isinstance(value, str) and value:
            return str(value)
    return ""


def cluster_of(document: Mapping[str, object]) -> str:
    """Return the cluster that an exported item brings with it, "" if none."""
    cluster = document.get("cluster")
    return cluster if isinstance(cluster, str) else ""


def split_evidence(prompt: str, document: Mapping[str, object]) -> tuple[str, str]:
    """Return the question and the passage of a prompt that may hold both.

    Args:
        prompt: A passage and a question, or a question alone.
        document: What the log has beside it: the question alone, or the passage alone.
    """
    passage = passage_of(document)
    question = document.get("question")
    if isinstance(question, str) and question and prompt.endswith(question):
        return question, prompt[: -len(question)].strip() or passage
    if passage and prompt.startswith(passage) and prompt[len(passage) :].strip():
        return prompt[len(passage) :].strip(), passage
    return prompt, passage


def id_of(document: Mapping[str, object]) -> str:
    """Return the id that a data set's row brings with it, "" if none."""
    for name in _IDS:
        value = document.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value):
            return str(value)
    return ""
