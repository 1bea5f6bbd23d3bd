"""Counting is quick only as long as it gives what the model's own tokenizer gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medctx_data.tokens.count import CHECKED_EVERY, QuickLengths, by_reference


def characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


class Wrong:
    """Counts characters too, but for texts that say "wrong"."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, texts: Sequence[str]) -> list[int]:
        self.calls += 1
        return [len(text) + ("wrong" in text) for text in texts]


def test_the_first_difference_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    quick = Wrong()
    lengths = QuickLengths(characters, quick)
    many = [*["right"] * (2 * CHECKED_EVERY)]
    assert lengths(many) == characters(many)
    assert lengths(["wrong"] * CHECKED_EVERY) == [5] * CHECKED_EVERY
    assert "fastokens counts a text differently" in capsys.readouterr().err
    calls = quick.calls
    assert lengths(["wrong"]) == [5]
    assert quick.calls == calls


def test_one_text_of_so_many_is_checked_however_they_come() -> None:
    checked: list[str] = []

    def reference(texts: Sequence[str]) -> list[int]:
        checked.extend(texts)
        return characters(texts)

    lengths = QuickLengths(reference, characters)
    checked.clear()
    for number in range(4 * CHECKED_EVERY):
        lengths([str(number)])
    assert checked == [str(CHECKED_EVERY * number) for number in range(4)]


def test_texts_it_refuses_are_counted_by_the_models_own_tokenizer() -> None:
    def refusing(texts: Sequence[str]) -> list[int]:
        if any("\x04" in text for text in texts):
            raise ValueError("byte 0x04 has no token in vocabulary")
        return [len(text) for text in texts]

    subset: list[list[str]] = []

    def reference(texts: Sequence[str]) -> list[int]:
        subset.append(list(texts))
        return [len(text.replace("\x04", "")) for text in texts]

    lengths = QuickLengths(reference, refusing)
    assert lengths(["a", "b\x04"]) == [1, 1]
    assert subset[-1] == ["a", "b\x04"]
    lengths(["c"] * 2)
    assert lengths(["d", "e"]) == [1, 1]
    assert subset[-1] != ["d", "e"]


@pytest.fixture(scope="module")
def bytes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE tokenizer with special tokens and a chat template, as most models have."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("fastokens")
    bpe = tokenizers.ByteLevelBPETokenizer()
    bpe.train_from_iterator(["gout is a disease of the joints, \u75db\u98ce"] * 3, vocab_size=320, show_progress=False)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token="<|end|>")
    fast.chat_template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}"
    folder = tmp_path_factory.mktemp("bytes")
    fast.save_pretrained(folder)
    return folder


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(st.text(max_size=60) | st.sampled_from(["<|end|>", "a<|end|>b", "joints<|e"]), max_size=8))
def test_fastokens_counts_as_the_models_own_tokenizer(bytes_folder: Path, texts: list[str]) -> None:
    from medctx.text import tokenizer as floor

    tokenizer = floor.load_tokenizer(bytes_folder)
    quick = QuickLengths.of(tokenizer)
    assert quick._quick is not None
    assert quick._quick(texts) == by_reference(tokenizer)(texts)


def test_a_tokenizer_it_cannot_read_counts_by_itself(tokenizer_folder: Path) -> None:
    from medctx.text import tokenizer as floor

    assert QuickLengths.of(floor.load_tokenizer(tokenizer_folder))(["three words here"]) == [3]
