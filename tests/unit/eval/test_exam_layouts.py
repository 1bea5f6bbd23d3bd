"""Exams in the layouts people have: what is read as question, options and answer, and what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx_eval.exams.readers.layouts import lay_out

QUESTIONS = (("What treats scurvy?", "B"), ("Which organ makes insulin?", "C"), ("Which is hot?", "A"), ("Which?", "D"))
TEXTS = (("Iron", "Vitamin C", "Zinc", "Salt"), ("Heart", "Liver", "Pancreas", "Spleen"))
ITEMS = [(question, TEXTS[number % 2], letter) for number, (question, letter) in enumerate(QUESTIONS)]


def _place(letter: str) -> int:
    return "ABCD".index(letter)


def _others(texts: tuple[str, ...], letter: str) -> list[str]:
    return [text for text in texts if text != texts[_place(letter)]]


LAYOUTS = {
    "index from 0": lambda q, t, a: {"question": q, "options": list(t), "correct_index": _place(a)},
    "index from 1": lambda q, t, a: {"question": q, "options": list(t), "answer": _place(a) + 1},
    "text": lambda q, t, a: {"question": q, "options": list(t), "answer": t[_place(a)]},
    "letter and text": lambda q, t, a: {"question": q, "options": list(t), "answer": f"{a}. {t[_place(a)]}"},
    "letter with colon": lambda q, t, a: {"question": q, "options": list(t), "answer": f"({a}) {t[_place(a)]}"},
    "stem and choices": lambda q, t, a: {
        "question": {"stem": q, "choices": [{"label": k, "text": text} for k, text in zip("ABCD", t, strict=True)]},
        "answerKey": a,
    },
    "marked options": lambda q, t, a: {
        "question": q,
        "answers": [{"text": text, "correct": text == t[_place(a)]} for text in t],
    },
    "options marked by 1": lambda q, t, a: {
        "question": q,
        "options": [{"option": text, "is_correct": int(text == t[_place(a)])} for text in t],
    },
    "targets": lambda q, t, a: {
        "question": q,
        "mc1_targets": {"choices": list(t), "labels": [int(text == t[_place(a)]) for text in t]},
    },
    "wrong answers": lambda q, t, a: {
        "question": q,
        "correct_answer": t[_place(a)],
        "incorrect_answers": _others(t, a),
    },
    "distractors": lambda q, t, a: {
        "question": q,
        "correct_answer": t[_place(a)],
        **{f"distractor{n}": text for n, text in enumerate(_others(t, a), 1)},
    },
    "one line": lambda q, t, a: {
        "question": q,
        "options": " ".join(f"{k}) {text}" for k, text in zip("ABCD", t, strict=True)),
        "answer": f"{a})",
    },
    "printed array": lambda q, t, a: {
        "question": q,
        "options": "[" + "\n ".join(f"'{text}'" for text in t) + "]",
        "answer": _place(a),
    },
    "German": lambda q, t, a: {
        "Frage": q,
        **{f"Antwort {k}": text for k, text in zip("ABCD", t, strict=True)},
        "Richtige Antwort": a,
    },
}


def _write(folder: Path, rows: list[dict[str, object]]) -> Path:
    path = folder / "exam.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_gives_the_right_option(tmp_path: Path, name: str) -> None:
    laid_out = lay_out(_write(tmp_path, [LAYOUTS[name](*item) for item in ITEMS]))
    assert len(laid_out.rows) == len(ITEMS)
    for (_, row), (question, texts, letter) in zip(laid_out.rows, ITEMS, strict=True):
        assert not isinstance(row, str), row
        options = row["options"]
        assert isinstance(options, dict) and row["question"] == question
        assert sorted(options.values()) == sorted(texts)
        assert [options[right] for right in row["answer"]] == [texts[_place(letter)]]  # type: ignore[attr-defined]


def test_the_order_beside_wrong_answers_does_not_show_the_right_one(tmp_path: Path) -> None:
    rows = [LAYOUTS["wrong answers"](f"{n}?", ("a b", "c d", "e f", "g h"), "A") for n in range(400)]
    path = _write(tmp_path, rows)
    golds = ["".join(row["answer"]) for _, row in lay_out(path).rows if not isinstance(row, str)]  # type: ignore[arg-type]
    assert all(60 <= golds.count(letter) <= 140 for letter in "ABCD")
    assert golds == ["".join(row["answer"]) for _, row in lay_out(path).rows if not isinstance(row, str)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answers", "question", "options"),
    [
        ((True, False), "Is it {}?", ["yes", "no"]),
        ((True, False), "It is {}.", ["true", "false"]),
        (("yes", "no"), "Is it {}?", ["yes", "no"]),
        (("True", "False"), "It is {}.", ["true", "false"]),
    ],
)
def test_questions_answered_yes_or_no_have_two_options(
    tmp_path: Path, answers: tuple[object, object], question: str, options: list[str]
) -> None:
    rows = [{"question": question.format(n), "passage": f"P{n}", "answer": answers[n % 2]} for n in range(4)]
    laid_out = lay_out(_write(tmp_path, rows))
    assert "right one from answer" in laid_out.summary
    for number, row in laid_out.rows:
        assert not isinstance(row, str)
        assert list(row["options"].values()) == options and row["context"] == f"P{number - 1}"  # type: ignore[attr-defined]
        assert row["answer"] == ["AB"[(number - 1) % 2]]


def test_free_answers_are_not_taken_for_yes_or_no(tmp_path: Path) -> None:
    with pytest.raises(MedctxError, match="no question with options and an answer is recognised"):
        lay_out(_write(tmp_path, [{"question": "Q1?", "answer": "yes"}, {"question": "Q2?", "answer": "iron"}]))


def test_a_letter_with_the_text_of_another_option_is_refused(tmp_path: Path) -> None:
    rows = [LAYOUTS["text"](*item) for item in ITEMS]
    rows[0]["answer"] = "A. Vitamin C"
    assert isinstance(lay_out(_write(tmp_path, rows)).rows[0][1], str)


def test_a_text_that_begins_like_a_list_is_one_option(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"question": "Q?", "options": ["A. baumannii", "E. coli"], "answer": "A. baumannii"}
    ]
    row = lay_out(_write(tmp_path, rows)).rows[0][1]
    assert not isinstance(row, str) and row["answer"] == ["A"]
