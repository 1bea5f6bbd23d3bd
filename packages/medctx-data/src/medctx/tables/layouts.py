"""Detects which columns hold question, options and answer, in well-known data sets and in other tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from medctx.tables.answers import AnswerError, Base
from medctx.tables.cells import Columns, parsed
from medctx.tables.options import labelled_options

QUESTIONS = (
    "question",
    "question_text",
    "qtext",
    "query",
    "problem",
    "problem_text",
    "stem",
    "frage",
    "pregunta",
    "statement",
    "claim",
    "问题",
)
OPTIONS = ("options", "choices", "option", "candidates", "answer_choices", "possible_answers", "opciones", "选项")
ANSWERS = (
    "answer_idx",
    "answerkey",
    "answer_key",
    "correct_option",
    "correct_answer",
    "correct_answers",
    "correct",
    "correct_choice",
    "correct_letter",
    "answer_letter",
    "correct_index",
    "correct_idx",
    "answer_index",
    "correct_answer_index",
    "correct_option_index",
    "correct_answer_idx",
    "right_answer",
    "richtige_antwort",
    "respuesta_correcta",
    "answer",
    "gold",
    "label",
    "key",
    "target",
    "solution",
    "cop",
    "ra",
    "antwort",
    "respuesta",
    "答案",
)
IDS = ("id", "qid", "question_id", "problem_id", "unique_id", "pubid", "uid", "idx", "item_id")
CONTEXTS = ("context", "passage", "evidence", "abstract", "document", "article")
BOOKS = ("book_id", "passage_id", "document_id", "doc_id")
SUBJECTS = ("subject", "subject_name", "category", "topic", "medical_task", "specialty")
_SERIES = (
    "{}",
    "option_{}",
    "option{}",
    "op{}",
    "op_{}",
    "choice_{}",
    "choice{}",
    "answer_{}",
    "opt_{}",
    "ending{}",
    "opcion_{}",
    "antwort_{}",
    "respuesta_{}",
)


@dataclass(frozen=True)
class ChoiceLayout:
    """Which column holds which part of a question with options.

    Attributes:
        name: The data set whose layout this is, ``""`` where it is none of the known ones.
        question: Column of the question. A dotted name reaches into an object.
        options: Column of the options, columns separated by commas, or ``=`` and texts separated by ``|``.
        answer: Column of the right option.
        id, context, book_id, subject: Columns of these, ``""`` where there is none.
        base: Number of the first option where the data set's publisher states it; answers that show another refute it.
        many: Whether several options may be right.
        appended: Whether the question repeats the options at its end.
    """

    name: str
    question: str
    options: str
    answer: str
    id: str = ""
    context: str = ""
    book_id: str = ""
    subject: str = ""
    base: Base = None
    many: bool = False
    appended: bool = False

    @property
    def used(self) -> frozenset[str]:
        """The columns it reads."""
        options = [] if self.options.startswith("=") else self.options.split(",")
        parts = (self.question, *options, self.answer, self.id, self.context, self.book_id, self.subject)
        return frozenset(part.partition(".")[0] for part in parts if part)


KNOWN: tuple[tuple[frozenset[str], ChoiceLayout], ...] = tuple(
    (frozenset(signature.split()), layout)
    for signature, layout in (
        (
            "question_id question options answer answer_index category",
            ChoiceLayout("MMLU-Pro", "question", "options", "answer", "question_id", subject="category"),
        ),
        (
            "question choices answer subject",
            ChoiceLayout("MMLU", "question", "choices", "answer", subject="subject", base=0),
        ),
        (
            "question opa opb opc opd cop",
            ChoiceLayout("MedMCQA", "question", "opa,opb,opc,opd", "cop", "id", subject="subject_name"),
        ),
        (
            "question answer options meta_info answer_idx",
            ChoiceLayout("MedQA", "question", "options", "answer_idx", subject="meta_info"),
        ),
        (
            "sent1 ending0 ending1 ending2 ending3 label",
            ChoiceLayout("MedQA", "sent1", "ending0,ending1,ending2,ending3", "label", "id", base=0),
        ),
        (
            "question.stem question.choices answerKey",
            ChoiceLayout("ARC", "question.stem", "question.choices", "answerKey", "id"),
        ),
        ("question choices answerKey", ChoiceLayout("ARC", "question", "choices", "answerKey", "id")),
        ("qtext ra answers", ChoiceLayout("HeadQA", "qtext", "answers", "ra", "qid", subject="category", base=1)),
        (
            "question op1 op2 op3 op4 cop",
            ChoiceLayout("CareQA", "question", "op1,op2,op3,op4", "cop", "unique_id", subject="category", base=1),
        ),
        (
            "pubid question context final_decision",
            ChoiceLayout("PubMedQA", "question", "=yes|no|maybe", "final_decision", "pubid", "context.contexts"),
        ),
        (
            "QUESTION CONTEXTS final_decision",
            ChoiceLayout("PubMedQA", "QUESTION", "=yes|no|maybe", "final_decision", "id", "CONTEXTS"),
        ),
        (
            "id question options label medical_task body_system",
            ChoiceLayout("MedXpertQA", "question", "options", "label", "id", subject="medical_task", appended=True),
        ),
        (
            "question answer_a answer_b answer_c answer_d answer_e correct_answers",
            ChoiceLayout(
                "FrenchMedMCQA",
                "question",
                "answer_a,answer_b,answer_c,answer_d,answer_e",
                "correct_answers",
                "id",
                base=0,
                many=True,
            ),
        ),
        (
            "problem_id problem_text choices answer",
            ChoiceLayout("IgakuQA", "problem_text", "choices", "answer", "problem_id", many=True),
        ),
    )
)
"""Layouts known by name, each with the columns it is known by."""


def plain_name(name: str) -> str:
    """Return a column's name in lower case, with single underscores for spaces and hyphens."""
    return re.sub(r"[\s_\-]+", "_", name.strip().lower())


def _first(names: Mapping[str, str], words: Iterable[str]) -> str:
    """The column whose plain name is the first of ``words`` that there is."""
    return next((names[word] for word in words if word in names), "")


def _series(names: Mapping[str, str]) -> str:
    """Columns with one option each: A, B, C ...; option_a ...; option1 ...; ending0 ..."""
    for pattern in _SERIES:
        for marks in ("abcdefghijkl", "0123456789", [str(number) for number in range(1, 13)]):
            columns = []
            for mark in marks:
                column = names.get(pattern.format(mark))
                if column is None:
                    break
                columns.append(column)
            if len(columns) >= 2 and (pattern != "{}" or not columns[0].strip().isdigit()):
                return ",".join(columns)
    return ""


def _filled(rows: Sequence[Columns]) -> dict[str, list[object]]:
    """The values of every column that are not empty."""
    values: dict[str, list[object]] = {}
    for row in rows:
        for name, value in row.items():
            kept = values.setdefault(str(name), [])
            if value is not None and value != "":
                kept.append(value)
    return {name: kept for name, kept in values.items() if kept}


def _inner_names(values: Mapping[str, Sequence[object]]) -> set[str]:
    """The dotted names within columns that hold an object in every row."""
    names: set[str] = set()
    for name, column in values.items():
        inner = [set(map(str, part)) for value in column[:20] if isinstance(part := parsed(value), Mapping)]
        if len(inner) == len(column[:20]):
            names |= {f"{name}.{key}" for key in set.intersection(*inner)}
    return names


def _has_options(value: object) -> bool:
    try:
        return len(labelled_options(value).texts) >= 2
    except AnswerError:
        # Options with a gap are options: their row is refused when it is read.
        return True


def _is_options(values: Sequence[object]) -> bool:
    return bool(values) and all(map(_has_options, values[:20]))


def detect_layout(rows: Sequence[Columns]) -> ChoiceLayout | None:
    """Return the layout of some rows, None if they are no questions with options and an answer."""
    values = _filled(rows)
    columns = values.keys() | _inner_names(values)
    for signature, layout in KNOWN:
        if signature <= columns:
            present = {part: getattr(layout, part) for part in ("id", "subject", "context")}
            absent = {part: "" for part, name in present.items() if name.partition(".")[0] not in values}
            return ChoiceLayout(**{**layout.__dict__, **absent})
    names = {plain_name(name): name for name in values}
    question = _first(names, QUESTIONS)
    inner = parsed(values.get("data", [None])[0])
    if not question and isinstance(inner, Mapping) and {"Question", "Options"} <= inner.keys():
        answer = "data.Correct Option" if "Correct Option" in inner else "data.Correct Answer"
        return ChoiceLayout("", "data.Question", "data.Options", answer, _first(names, IDS))
    options = next((names[word] for word in OPTIONS if word in names and _is_options(values[names[word]])), "")
    # An option that no sampled row has may come later.
    options = options or _series({plain_name(str(name)): str(name) for row in rows for name in row})
    taken = {question, *options.split(",")}
    left = {plain: name for plain, name in names.items() if name not in taken}
    answer = next((left[word] for word in ANSWERS if word in left), "")
    if not (question and options and answer):
        return None
    return ChoiceLayout(
        "",
        question,
        options,
        answer,
        _first(left, IDS),
        _first(left, CONTEXTS),
        _first(left, BOOKS),
        _first(left, SUBJECTS),
    )
