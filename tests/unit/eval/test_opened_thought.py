"""Templates that open a thought in the prompt: what the model writes is the rest of that thought."""

from __future__ import annotations

from typing import NamedTuple

from medctx.schemas.records import Book, ExamItem
from medctx_eval.prompting.prompt import generation_request

ITEM = ExamItem(id="i", exam="e", question="Which?", options={"A": "red", "B": "blue"}, gold=("A",), cluster="c")
BOOK = Book(id="closed", text="", tokens=0)


class ThinkingTokenizer(NamedTuple):
    """Bytes as tokens, and a template that ends with ``begin``."""

    begin: str

    def apply_chat_template(
        self, conversation: list[dict[str, str]], *, tokenize: bool = True, add_generation_prompt: bool = False
    ) -> str:
        return f"<user>{conversation[0]['content']}<assistant>{self.begin if add_generation_prompt else ''}"

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        return list(text.encode())


def test_a_free_answer_begins_with_the_thought_that_the_prompt_opened() -> None:
    request = generation_request(ThinkingTokenizer("<think>\n"), BOOK, ITEM, 0, 64)
    assert request.opening == "<think>\n"
    assert bytes(request.prompt).endswith(b"<think>\n")


def test_nothing_is_added_to_held_answers_and_other_templates() -> None:
    assert not generation_request(ThinkingTokenizer("<think>\n"), BOOK, ITEM, 0, 64, constrained=True).opening
    assert not generation_request(ThinkingTokenizer("<think>\n\n</think>\n\n"), BOOK, ITEM, 0, 64).opening
