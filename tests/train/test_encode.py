from __future__ import annotations

from pathlib import Path

import pytest

from medctx import tokenizer
from medctx.errors import MedctxError
from medctx_train.encode import encode, encode_all
from tests.train.conftest import dialogue

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + '</s>' }}{% endif %}{% endfor %}"
)
PLAIN = (
    "{% for m in messages %}{{ m['role'].upper() + ': ' + m['content'] + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "answers"),
    [
        (CHATML, ["Finding 8.<|im_end|>\n", "Finding 8.<|im_end|>\n"]),
        (LLAMA, [" Finding 8.</s>", " Finding 8.</s>"]),
        (PLAIN, [" Finding 8.\n", " Finding 8.\n"]),
    ],
)
def test_loss_is_on_the_answers_alone(tiny: Path, template: str, answers: list[str]) -> None:
    tokens = tokenizer.load(tiny)
    tokens.chat_template = template
    encoded = encode(tokens, dialogue(3, turns=2))
    spans, current = [], []
    for token, carries in zip(encoded.ids, encoded.carries_loss, strict=True):
        if carries:
            current.append(token)
        elif current:
            spans.append(tokens.decode(current))
            current = []
    spans += [tokens.decode(current)] if current else []
    assert spans == answers


def test_a_template_that_rewrites_turns_is_refused(tiny: Path) -> None:
    tokens = tokenizer.load(tiny)
    tokens.chat_template = "{{ messages|length }}{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(MedctxError, match="rewrites earlier turns"):
        encode(tokens, dialogue(1, turns=2))


def test_nothing_is_cut(tiny: Path) -> None:
    tokens = tokenizer.load(tiny)
    with pytest.raises(MedctxError, match=r"Dialogue 'd5' .* more than the limit of 10"):
        list(encode_all(tokens, [dialogue(5)], 10))


def test_a_folder_without_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MedctxError, match="has no tokenizer"):
        tokenizer.load(tmp_path)
