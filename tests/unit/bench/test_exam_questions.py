"""Made Books have the length and the number of questions that are asked for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bench.exam_questions import make_questions, write_first_questions, write_for_peers


def test_books_are_as_long_as_asked_and_have_all_their_questions(tokenizer_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    make_questions(file, str(tokenizer_folder), length=400, books=3, questions=7)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    books = Counter(row["context"] for row in rows)
    assert list(books.values()) == [7, 7, 7]
    assert all(370 < len(book.split()) <= 400 for book in books)
    assert len({row["id"] for row in rows}) == 21
    for row in rows:
        assert len(set(row["options"].values())) == 4
        # The right option is in the record of the patient that is asked about.
        name = next(line for line in row["context"].splitlines() if " ".join(line.split()[:3]) in row["question"])
        assert row["options"][row["answer"]] in name


def test_too_many_questions_are_refused(tokenizer_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too few for 90 questions"):
        make_questions(tmp_path / "rows.jsonl", str(tokenizer_folder), length=300, books=1, questions=90)


def test_peers_get_the_prompts_that_medctx_sends(alphabet: Path, tmp_path: Path) -> None:
    own, others = tmp_path / "questions.jsonl", tmp_path / "peers.jsonl"
    make_questions(own, str(alphabet), length=600, books=2, questions=2)
    unique = write_for_peers(others, own, str(alphabet))
    rows, mine = ([json.loads(line) for line in file.read_text().splitlines()] for file in (others, own))
    by_id = {row["id"].rpartition("/")[2]: row for row in rows}
    for row in mine:
        peer = by_id[row["id"]]
        assert row["context"] in peer["prompt"] and row["question"] in peer["prompt"]
        assert peer["options"] == list(row["options"].values())
        assert peer["letters"][peer["gold"]] == row["answer"]
        assert all(text in peer["message"] for text in row["options"].values())
    prompts = sum(len(row["prompt"]) for row in rows)
    assert 2 * 550 < unique < prompts


def test_a_part_has_the_first_questions_on_each_book(alphabet: Path, tmp_path: Path) -> None:
    own, others = tmp_path / "questions.jsonl", tmp_path / "peers.jsonl"
    make_questions(own, str(alphabet), length=600, books=2, questions=4)
    write_for_peers(others, own, str(alphabet))
    part, share = write_first_questions(others, 1)
    rows, kept = (file.read_text().splitlines() for file in (others, part))
    assert share == 0.25
    assert kept == [rows[0], rows[4]]
