from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.schemas.records import Dialogue, Role, Turn
from medctx.text import tokenizer
from medctx_train.data.overlong import fit_to_row, split_exchanges
from medctx_train.data.tokenize import encode
from tests.support.made_training import dialogue


def said(*roles: Role) -> tuple[Turn, ...]:
    return tuple(Turn(role=role, content=f"{role} {number}") for number, role in enumerate(roles))


def test_exchanges_begin_with_a_users_turn_after_an_answer() -> None:
    turns = said("system", "user", "user", "assistant", "assistant", "user", "assistant")
    head, rest = split_exchanges(turns)
    assert head == turns[:1]
    assert rest == [turns[1:5], turns[5:]]


def test_without_a_users_turn_there_is_nothing_to_split() -> None:
    assert split_exchanges(said("system", "assistant")) == (said("system", "assistant"), [])


def test_a_sample_over_the_limit_is_refused_by_default(tiny: Path) -> None:
    with pytest.raises(MedctxError, match=r"Dialogue 'd5' of source 'odd' has \d+ tokens, more than the limit of 10"):
        fit_to_row(tokenizer.load_tokenizer(tiny), dialogue(5), 10, "refuse")


def test_dropping_leaves_nothing_of_it(tiny: Path) -> None:
    fitted = fit_to_row(tokenizer.load_tokenizer(tiny), dialogue(5), 10, "drop")
    assert fitted.samples == ()


def test_one_exchange_that_does_not_fit_cannot_be_split(tiny: Path) -> None:
    with pytest.raises(MedctxError, match="one of its exchanges alone does not fit"):
        fit_to_row(tokenizer.load_tokenizer(tiny), dialogue(5, turns=3), 10, "split")


@given(answers=st.lists(st.integers(1, 30), min_size=1, max_size=12), limit=st.integers(60, 200), system=st.booleans())
@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
def test_splitting_keeps_every_turn_once_and_whole(tiny: Path, answers: list[int], limit: int, system: bool) -> None:
    tokens = tokenizer.load_tokenizer(tiny)
    turns = [Turn(role="system", content="Be brief.")] if system else []
    for number, length in enumerate(answers):
        turns.append(Turn(role="user", content=f"Question {number}?"))
        turns.append(Turn(role="assistant", content="x" * length))
    whole = Dialogue(id="d", domain="general", source="s", turns=tuple(turns))
    fitted = fit_to_row(tokens, whole, limit, "split")
    assert all(len(sample.ids) <= limit for sample in fitted.samples)
    head = tokens.decode(encode(tokens, whole)[0].ids).partition("<|user|>")[0]
    texts = [tokens.decode(sample.ids) for sample in fitted.samples]
    assert all(text.startswith(head) for text in texts)
    assert head + "".join(text.removeprefix(head) for text in texts) == tokens.decode(encode(tokens, whole)[0].ids)
    assert sum(sample.loss_tokens for sample in fitted.samples) == encode(tokens, whole)[0].loss_tokens
    # As many whole exchanges as fit: no two neighbours would have fitted into one part.
    sizes = [len(sample.ids) for sample in fitted.samples]
    spared = len(tokens(head)["input_ids"])
    assert all(first + other - spared > limit for first, other in pairwise(sizes))
