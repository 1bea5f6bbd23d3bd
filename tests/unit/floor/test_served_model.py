"""What a served adapter makes of a request."""

from __future__ import annotations

import pytest

pytest.importorskip("mlflow")

from medctx.tracking.served_model import _with_book

TALK = [
    {"role": "user", "content": "What is on page 2?"},
    {"role": "assistant", "content": "A table."},
    {"role": "user", "content": "What does it list?"},
]


@pytest.mark.parametrize("book", [None, "", float("nan")])
def test_without_a_book_the_conversation_is_unchanged(book: object) -> None:
    assert _with_book(TALK, book) == TALK


def test_a_book_stands_before_the_last_user_message_as_in_the_exams() -> None:
    assert _with_book(TALK, "Page 2.") == [*TALK[:2], {"role": "user", "content": "Page 2.\n\nWhat does it list?"}]


def test_a_book_needs_a_user_message() -> None:
    with pytest.raises(ValueError, match="no user message"):
        _with_book([{"role": "system", "content": "Be brief."}], "Page 2.")
