"""Questions with options in the layouts in which they are published: found from the columns, read by letter.

A layout is a set of columns. Those of well-known data sets are known by name; any other table with a question, options
(one column, or one for each) and an answer is read as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from medctx.tables.answers import LETTERS, AnswerError, AnswerEvidence, Base, Convention, is_ambiguous, right_letters
from medctx.tables.cells import parsed

Columns = Mapping[str, object]

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
)
_LISTED = re.compile(r"^\s*\(?([A-L])([\s.\uff0e\u3001:\uff1a)])\s*(.*)$")
_APPENDED = re.compile(r"\s*\n\s*Answer Choices:.*\Z", re.DOTALL | re.IGNORECASE)


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


class Question(NamedTuple):
    """A question with its options by letter, and the right letters."""

    text: str
    options: dict[str, str]
    gold: tuple[str, ...]


class LabelledOptions(NamedTuple):
    """Options by letter, and the letter of each label that the file gives them."""

    texts: dict[str, str]
    letters: dict[str, str]


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


def _plain(name: str) -> str:
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
    for signature, layout in KNOWN:
        if signature <= values.keys():
            present = {part: getattr(layout, part) for part in ("id", "subject", "context")}
            absent = {part: "" for part, name in present.items() if name.partition(".")[0] not in values}
            return ChoiceLayout(**{**layout.__dict__, **absent})
    names = {_plain(name): name for name in values}
    question = _first(names, QUESTIONS)
    inner = parsed(values.get("data", [None])[0])
    if not question and isinstance(inner, Mapping) and {"Question", "Options"} <= inner.keys():
        answer = "data.Correct Option" if "Correct Option" in inner else "data.Correct Answer"
        return ChoiceLayout("", "data.Question", "data.Options", answer, _first(names, IDS))
    options = next((names[word] for word in OPTIONS if word in names and _is_options(values[names[word]])), "")
    # An option that no sampled row has may come later.
    options = options or _series({_plain(str(name)): str(name) for row in rows for name in row})
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


def at(row: Columns, name: str) -> object:
    """Return the value of a column, None if there is none; a dotted name reaches into an object."""
    if name in row:
        return row[name]
    value: object = row
    for part in name.split("."):
        value = parsed(value) if not isinstance(value, Mapping) else value
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _text(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(_text(part) for part in value)
    if isinstance(value, bool) or value is None:
        return ""
    return str(value).strip()


def _in_order(texts: Sequence[object], labels: Sequence[object] = ()) -> LabelledOptions:
    """Options lettered in their order; those without a text at the end are left out.

    Raises:
        AnswerError: An option without a text stands before others, whose letters or numbers would move.
    """
    known = list(labels) if len(labels) == len(texts) else [""] * len(texts)
    pairs = [(_text(text), _text(label)) for text, label in zip(texts, known, strict=True)]
    while pairs and not pairs[-1][0]:
        pairs.pop()
    lettered = dict(zip(LETTERS, pairs, strict=False)) if len(pairs) <= len(LETTERS) else {}
    for letter, (text, _) in lettered.items():
        if not text:
            raise AnswerError(f"has no text for the option {letter}, which others follow")
    return LabelledOptions(
        {letter: text for letter, (text, _) in lettered.items()},
        {label: letter for letter, (_, label) in lettered.items() if label},
    )


def _of_lines(value: str) -> LabelledOptions:
    """Options on lines of their own; a line that does not begin with the next letter continues the option before it."""
    texts: list[str] = []
    spaced = False
    for line in value.splitlines():
        match = _LISTED.match(line)
        # After "A." the line "B cells" begins no option.
        if match and match[1] in LETTERS[len(texts) : len(texts) + 1] and (not texts or match[2].isspace() == spaced):
            spaced = match[2].isspace()
            texts.append(match[3].strip())
        elif texts and line.strip():
            texts[-1] = f"{texts[-1]} {line.strip()}".strip()
    return _in_order(texts)


def _of_mapping(value: Mapping[str, object]) -> LabelledOptions:
    """An object of options by letter, or of the lists of labels and texts that Arrow makes of a list of objects."""
    lists = {str(name): part for name, part in value.items() if isinstance(part, list)}
    if len(lists) == len(value) and len(lists) >= 1:
        texts = next((lists[name] for name in ("text", "atext", "value", "texts") if name in lists), None)
        labels = next((lists[name] for name in ("label", "aid", "key", "labels") if name in lists), [])
        return _in_order(texts, labels) if texts is not None else LabelledOptions({}, {})
    labelled = {str(label).strip(): part for label, part in value.items()}
    by_letter = {label.upper(): label for label in labelled if len(label) == 1 and label.upper() in LETTERS}
    filled = {label for label, part in labelled.items() if part is not None}
    if filled <= set(by_letter.values()):
        # A table of objects gives each the keys of all: a letter that this row lacks is an empty option.
        last = max((LETTERS.index(letter) for letter, label in by_letter.items() if label in filled), default=-1)
        letters = LETTERS[: last + 1]
        texts = [labelled.get(by_letter.get(letter, "")) for letter in letters]
        return _in_order(texts, letters)
    others = [label for label in labelled if label in filled or label not in by_letter.values()]
    return _in_order([labelled[label] for label in others], others)


def labelled_options(value: object) -> LabelledOptions:
    """Return the options that a cell holds in any of the usual ways, none where it holds none.

    Raises:
        AnswerError: An option has no text though others follow it.
    """
    value = parsed(value)
    if isinstance(value, Mapping):
        return _of_mapping(value)
    if isinstance(value, str):
        return _of_lines(value)
    if not isinstance(value, list) or not value:
        return LabelledOptions({}, {})
    if all(isinstance(option, Mapping) for option in value):
        keys = next(
            (pair for pair in (("key", "value"), ("label", "text"), ("aid", "atext")) if pair[0] in value[0]), None
        )
        if keys is None:
            return LabelledOptions({}, {})
        return _in_order([option.get(keys[1]) for option in value], [option.get(keys[0]) for option in value])
    if not all(option is None or isinstance(option, str | int | float) for option in value):
        return LabelledOptions({}, {})
    lines = [_LISTED.match(str(option)) for option in value]
    if all(lines) and [line[1] for line in lines if line] == list(LETTERS[: len(value)]):
        return _in_order([line[3] for line in lines if line])
    return _in_order(value)


def options_in(row: Columns, place: str) -> LabelledOptions:
    """Return the options of a row: one column, columns separated by commas, or ``=`` and texts separated by ``|``.

    Raises:
        AnswerError: An option has no text though others follow it.
    """
    if place.startswith("="):
        return _in_order(place[1:].split("|"))
    if "," in place and place not in row:
        return _in_order([at(row, name.strip()) for name in place.split(",")])
    return labelled_options(at(row, place))


def answers_in(value: object, options: LabelledOptions, digits: str = "text") -> list[object]:
    """Return what an answer names, each as a letter, a text or a number.

    Raises:
        AnswerError: An answer in digits is a number and a text, in a file whose answers are both.
    """
    texts = set(options.texts.values())
    answers: list[object] = []
    for stated in _listed(parsed(value)):
        part = int(stated) if isinstance(stated, float) and stated.is_integer() else stated
        text = _text(part)
        is_digits = isinstance(part, str) and text.isdecimal()
        if text in options.letters:
            answers.append(options.letters[text])
        elif is_digits and text in texts and digits == "refuse":
            raise AnswerError(f"has the answer {text}, a number and also the text of an option; give its letter")
        elif is_digits and not (text in texts and digits == "text"):
            answers.append(int(text))
        elif isinstance(part, str) and re.fullmatch(r"\(?[a-l][).]?|[A-L][).]|\([A-L]\)", text):
            answers.append(text.strip("().").upper())
        else:
            answers.append(text if isinstance(part, str) else part)
    return answers


def convention_of(rows: Iterable[tuple[object, LabelledOptions]], published: Base = None) -> Convention:
    """Decide how the answers of a file name options, from the answers and options of all its rows.

    Args:
        rows: Answer and options of every row.
        published: Number of the first option by the data set's publisher, which the rows of a copy can refute.
    """
    as_text, as_number, kinds = AnswerEvidence(), AnswerEvidence(), set()
    for value, options in rows:
        for part in _listed(parsed(value)):
            text = _text(part)
            if isinstance(part, str) and text.isdecimal() and text not in options.letters:
                kinds.add("text" if text in options.texts.values() else "number")
        for evidence, digits in ((as_text, "text"), (as_number, "number")):
            for answer in answers_in(value, options, digits):
                evidence.add(answer, options.texts)
    if len(kinds) > 1:
        return as_number.convention(published)._replace(digits="refuse")
    if "number" in kinds:
        return as_number.convention(published)._replace(digits="number")
    return as_text.convention(published)


def _answers_of(rows: Iterable[Columns], layout: ChoiceLayout) -> Iterator[tuple[object, LabelledOptions]]:
    for row in rows:
        try:
            yield at(row, layout.answer), options_in(row, layout.options)
        except AnswerError:
            continue


def layout_convention(rows: Sequence[Columns], layout: ChoiceLayout) -> Convention:
    """Decide how the answers of rows in a layout name options, from all rows and the layout's published base."""
    return convention_of(_answers_of(rows, layout), layout.base)


def right_options(value: object, options: LabelledOptions, convention: Callable[[], Convention]) -> list[str]:
    """Return the letters of the options that an answer names, one or several.

    Args:
        value: The answer.
        options: The options.
        convention: Gives how the file names right options; called only where the row does not say.

    Raises:
        AnswerError: The answer names none of them, or it is not clear which.
    """
    gold: set[str] = set()
    in_digits = any(isinstance(part, str) and part.strip().isdecimal() for part in _listed(parsed(value)))
    for answer in answers_in(value, options, convention().digits if in_digits else "text"):
        rule = convention() if is_ambiguous(answer, options.texts) else Convention()
        gold.update(right_letters(answer, options.texts, rule))
    if not gold:
        raise AnswerError(f"has the gold {value!r}, which is none of its options {', '.join(options.texts)}")
    return sorted(gold)


def read_question(row: Columns, layout: ChoiceLayout, convention: Convention) -> Question:
    """Read a row as a question.

    Raises:
        AnswerError: Its answer names none of its options, or it is not clear which.
    """
    options = options_in(row, layout.options)
    gold = right_options(at(row, layout.answer), options, lambda: convention)
    if len(gold) > 1 and layout.name and not layout.many:
        raise AnswerError(f"has several answers ({', '.join(gold)}), which {layout.name} never has")
    text = _text(at(row, layout.question))
    return Question(_APPENDED.sub("", text) if layout.appended else text, options.texts, tuple(gold))
