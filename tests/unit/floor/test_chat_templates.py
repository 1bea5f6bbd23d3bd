"""Templates by name or from a file, for models that bring none."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.schemas.records import Turn
from medctx.text.chat_templates import CHAT_TEMPLATES, chat_template_text
from medctx.text.rendering import render
from medctx.text.tokenizer import load_tokenizer, read_tokenizer

TALK = tuple(
    Turn.model_validate({"role": role, "content": text})
    for role, text in (("system", "Be brief."), ("user", "Which sign?"), ("assistant", "Pallor."), ("user", "Why?"))
)


@pytest.fixture(scope="module")
def bare(alphabet: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer without a chat template."""
    folder = tmp_path_factory.mktemp("bare")
    tokenizer = read_tokenizer(alphabet)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", CHAT_TEMPLATES)
def test_a_named_template_shows_every_turn_and_its_answers_follow_its_generation_prompt(name: str, bare: Path) -> None:
    tokenizer = load_tokenizer(bare, name)
    texts = [render(tokenizer, TALK[:number], ask=number % 2 == 0) for number in (1, 2, 3, 4)]
    assert texts[2].startswith(texts[1]), "the answer stands where the model is asked for it"
    assert texts[2].removeprefix(texts[1]).startswith("Pallor.")
    assert all(turn.content in texts[3] for turn in TALK)


def test_a_file_is_a_template_too(bare: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.jinja"
    file.write_text("{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}")
    assert render(load_tokenizer(bare, str(file)), TALK[1:2], ask=False) == "[user] Which sign?"
    file.write_text(" \n")
    with pytest.raises(MedctxError, match="is empty; give a Jinja template"):
        chat_template_text(str(file))


def test_without_one_the_sentence_says_what_to_set(bare: Path) -> None:
    with pytest.raises(
        MedctxError, match=r"has no chat template; set chat_template to .*Jinja file, or chatml or plain"
    ):
        load_tokenizer(bare)
    with pytest.raises(MedctxError, match=r"'chatm' is neither a text file nor one of chatml, plain"):
        load_tokenizer(bare, "chatm")
