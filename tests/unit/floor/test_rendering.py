"""Chat templates: what is given stands in what is rendered, as plain text, or the template is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.schemas.records import Dialogue, Role, Turn
from medctx.text.rendering import (
    check_token_count,
    content_spans,
    encode_plain_contents,
    encode_turns,
    render,
    render_checked,
)
from medctx.text.tokenizer import load_tokenizer

PARTS = (
    "{% for m in messages %}<|{{ m.role }}|>{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}"
    "{% endif %}{% endfor %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
)
PLAIN = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"


def turn(role: Role, content: str) -> Turn:
    return Turn(role=role, content=content)


TALK = [turn("user", "What treats scurvy?"), turn("assistant", "Vitamin C.")]


@pytest.fixture
def tokenizer(tiny: Path) -> Callable[[str], object]:
    """The tiny model's tokenizer with another template."""

    def with_template(template: str) -> object:
        loaded = load_tokenizer(tiny)
        loaded.chat_template = template
        return loaded

    return with_template


def test_a_template_over_parts_gets_parts(tokenizer: Callable[[str], object]) -> None:
    text = render(tokenizer(PARTS), TALK, ask=False)  # type: ignore[arg-type]
    assert text == "<|user|>What treats scurvy?<|end|><|assistant|>Vitamin C.<|end|>"


def test_a_template_without_a_system_role_gets_the_text_before_the_question(
    tokenizer: Callable[[str], object], capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = tokenizer(NO_SYSTEM)
    for _ in range(2):
        text = render(loaded, [turn("system", "Be brief."), *TALK], ask=False)  # type: ignore[arg-type]
        assert text.startswith("<|user|>Be brief.\n\nWhat treats scurvy?<|end|>")
    assert capsys.readouterr().err.count("has no system role") <= 1


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for m in messages %}<|{{ m.role }}|><|end|>{% endfor %}", "drops the text of the user turn"),
        ("{{ raise_exception('no such thing') }}", "no such thing"),
        ("{{ messages[7].content }}", "messages"),
        ("{{ messages[0].content }}", "drops the text of the assistant turn that begins 'Vitamin C.'"),
        ("{% for m in messages %}{{ m.content[:5] }}{% endfor %}", "drops the text"),
    ],
)
def test_a_template_that_drops_text_or_fails_is_refused_in_one_sentence(
    template: str, words: str, tokenizer: Callable[[str], object]
) -> None:
    with pytest.raises(MedctxError, match="chat template of") as error:
        render(tokenizer(template), TALK, ask=False)  # type: ignore[arg-type]
    assert words in str(error.value) or "list object" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_template_may_strip_texts_and_drop_earlier_thoughts() -> None:
    talk = [turn("user", "  q \n"), turn("assistant", "<think>\nlong\n</think>\n\nshort"), *TALK]
    text = render_checked(lambda messages: "q|short|What treats scurvy?|Vitamin C.", talk, "model")
    assert [text[begin:end] for begin, end in content_spans(text, talk)] == [  # type: ignore[misc]
        "q", "short", "What treats scurvy?", "Vitamin C.",
    ]  # fmt: skip


def test_defects_of_the_caller_are_not_hidden() -> None:
    def apply(messages: object) -> str:
        raise MemoryError

    with pytest.raises(MemoryError):
        render_checked(apply, TALK, "model")


def test_control_tokens_in_a_text_are_plain_text(tiny: Path) -> None:
    tokenizer = load_tokenizer(tiny)
    special = next(token.content for token in tokenizer.added_tokens_decoder.values() if token.special)
    talk = [turn("user", f"What is {special}?"), turn("assistant", f"A mark: {special}{special}.")]
    text = render(tokenizer, talk, ask=False)
    encoded = encode_turns(tokenizer, text, talk)
    number = tokenizer.added_tokens_encoder[special]
    as_control = tokenizer(text, add_special_tokens=False)["input_ids"].count(number)
    assert encoded.ids.count(number) == as_control - 3
    assert "".join(text[begin:end] for begin, end in encoded.offsets).replace(" ", "") == text.replace(" ", "")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=30), min_size=2, max_size=2))
@example(texts=["", "r"])
@example(texts=["", ">"])
def test_without_control_tokens_the_result_is_the_tokenizers(tiny: Path, texts: list[str]) -> None:
    tokenizer = load_tokenizer(tiny)
    talk = [turn("user", texts[0]), turn("assistant", texts[1])]
    text = render(tokenizer, talk, ask=False)
    spans = content_spans(text, talk)
    assert not isinstance(spans, Turn)
    expected = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    encoded = encode_plain_contents(tokenizer, text, spans)
    assert encoded.ids == expected["input_ids"]
    assert encoded.offsets == list(expected["offset_mapping"])


def test_a_tokenizer_that_swallows_text_is_refused() -> None:
    check_token_count("word " * 50, 50, "model")
    check_token_count("=" * 5_000, 40, "model")
    check_token_count("", 0, "model")
    with pytest.raises(MedctxError, match="gives 3 tokens for a text of 5,000 characters"):
        check_token_count("word " * 1_000, 3, "model")


def test_counted_loss_tokens_are_those_that_training_masks(tiny: Path) -> None:
    tokenize = pytest.importorskip("medctx_train.data.tokenize")
    count = pytest.importorskip("medctx_data.tokens.count")
    tokenizer = load_tokenizer(tiny)
    special = next(token.content for token in tokenizer.added_tokens_decoder.values() if token.special)
    dialogues = [
        Dialogue(id=str(number), domain="medical", source="ward", turns=tuple(talk), without_loss=without)
        for number, (talk, without) in enumerate(
            [
                (TALK, ()),
                ([*TALK, turn("user", "And gout?"), turn("assistant", "Colchicine,\n or rest.")], ()),
                ([*TALK, turn("user", "And gout?"), turn("assistant", "Colchicine.")], (1,)),
                ([turn("system", "Be brief."), *TALK], ()),
                ([turn("user", f"What is {special}?"), turn("assistant", f"A mark: {special}.")], ()),
            ]
        )
    ]
    sizes = count.TokenCounter(tiny)(dialogues)
    for dialogue, size in zip(dialogues, sizes, strict=True):
        samples = tokenize.encode(tokenizer, dialogue)
        assert size == (sum(len(sample.ids) for sample in samples), sum(sample.loss_tokens for sample in samples))
