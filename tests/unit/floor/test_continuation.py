"""Token ids of a prompt and its answers: those of encoding each whole, whatever is encoded only once."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from medctx.text.continuation import common_prefix, continuation_tokens

KINDS = ("byte-level", "metaspace", "prepended", "lowercased words", "no special tokens")
TEXTS = ["The patient's  pulse\nwas 80 per minute.", "Kalium, natrium und Blutdruck", "ein <end> of <start>user\n", "ä"]


@cache
def made_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """A small tokenizer whose parts are those of a family of models."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    alphabet: list[str] = []
    if kind == "metaspace":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    elif kind == "prepended":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    elif kind == "lowercased words":
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<unk>"] if kind == "no special tokens" else ["<unk>", "<start>", "<end>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([*TEXTS, "assistant\nuser\n" * 20], trainer)
    if kind == "metaspace":
        # Eats the blanks before it, as some models' special tokens do.
        tokenizer.add_special_tokens([AddedToken("<start>", lstrip=True), AddedToken("<end>", rstrip=True)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", extra_special_tokens=special[1:])


class CountingTokenizer:
    """Counts the characters that are encoded."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self.added_tokens_encoder = tokenizer.added_tokens_encoder
        self.characters = 0

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        """Encode a text."""
        self.characters += len(text)
        return list(self._tokenizer.encode(text, add_special_tokens=add_special_tokens))


SPOKEN = st.text(st.sampled_from("abPTk ä\n.,'<>80▁"), max_size=20) | st.sampled_from(TEXTS)
CLOSINGS = ("<end>\n<start>assistant\n", "<end><start> ", "\nAnswer:", " <start>", "<start>assistant")


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(
    message=SPOKEN,
    closing=st.sampled_from(CLOSINGS),
    answers=st.lists(SPOKEN.filter(bool), min_size=1, max_size=4),
    ending=st.sampled_from(["", "<end>", "<end>\n"]),
)
def test_answers_are_encoded_as_in_the_whole_text(
    kind: str, message: str, closing: str, answers: list[str], ending: str
) -> None:
    tokenizer = made_tokenizer(kind)
    rendered = f"<start>user\n{message}{closing}"
    prompt, continuations = continuation_tokens(tokenizer, rendered, answers, ending)

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False))

    spare = max(0, len(encode(ending)) - 1) if ending else 0
    wholes = [encode(rendered + answer + ending) for answer in answers]
    wholes = [whole[: len(whole) - spare] for whole in wholes]
    shared = min(common_prefix(encode(rendered), whole) for whole in wholes)
    assert list(prompt) == encode(rendered)[:shared]
    assert [list(prompt + continuation) for continuation in continuations] == wholes


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_book_is_encoded_once_for_all_answers(kind: str) -> None:
    tokenizer = CountingTokenizer(made_tokenizer(kind))
    rendered = f"<start>user\n{'The pulse was 80. ' * 500}<end>\n<start>assistant\n"
    continuation_tokens(tokenizer, rendered, ["Kalium", "natrium", "Blutdruck", "pulse"])
    assert len(rendered) < tokenizer.characters < len(rendered) + 200
