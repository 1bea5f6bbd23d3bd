from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.schemas.records import Book
from medctx.text import tokenizer
from medctx.text.book import make_book
from medctx.text.continuation import shared_prefix
from medctx_eval.engines.protocol import RequestFailure
from medctx_eval.engines.transformers import TransformersEngine
from medctx_eval.engines.tree import trees
from medctx_eval.prompting.prompt import (
    GenerationRequest,
    LikelihoodRequest,
    generation_request,
    letter_request,
    text_request,
)
from tests.support.made_exam import made_exam

torch = pytest.importorskip("torch")

BOOK = Book(id="b", text="book", tokens=1)


def asks(tiny: Path) -> list[LikelihoodRequest]:
    tokens = tokenizer.read_tokenizer(tiny)
    exam = made_exam()
    book = make_book(exam.passages[:5], lambda text: len(tokens.encode(text)))
    return [ask(tokens, book, item) for item in exam.items[:4] for ask in (text_request, letter_request)]


def naive(model: torch.nn.Module, ask: LikelihoodRequest) -> list[list[float]]:
    """Each continuation in a forward pass of its own."""
    results = []
    for continuation in ask.continuations:
        ids = torch.tensor([ask.prompt + continuation])
        logprobs = torch.log_softmax(model(input_ids=ids).logits[0].float(), dim=-1)
        begin = len(ask.prompt) - 1
        results.append([float(logprobs[begin + n, token]) for n, token in enumerate(continuation)])
    return results


def test_the_tree_gives_what_separate_passes_give(tiny: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)
    several = asks(tiny)
    scores = TransformersEngine(model, tokenizer.read_tokenizer(tiny)).score(several, BOOK)
    with torch.no_grad():
        for ask, score in zip(several, scores, strict=True):
            for expected, value in zip(naive(model, ask), score, strict=True):
                assert value == pytest.approx(expected, abs=1e-3)


def test_a_book_is_computed_once(tiny: Path) -> None:
    engine = TransformersEngine.load(tiny)
    several = asks(tiny)
    list(engine.score(several, BOOK))
    shared = shared_prefix([ask.prompt for ask in several])
    paths = [ask.prompt[shared - 1 :] + option[:-1] for ask in several for option in ask.continuations]
    distinct = {path[:end] for path in paths for end in range(1, len(path) + 1)}
    assert engine.usage.computed_tokens == shared - 1 + len(distinct), "what several begin with is computed once"
    assert engine.usage.book_prefills == 1


def test_rows_of_a_tree_are_cut_between_asks(tiny: Path) -> None:
    several = asks(tiny)
    shared = shared_prefix([ask.prompt for ask in several]) - 1
    whole = sum(len(tree.ids) for tree in trees(several, shared, 10**6))
    pieces = list(trees(several, shared, 100))
    assert len(pieces) > 1
    assert sum(len(tree.ids) for tree in pieces) >= whole
    assert sum(len(tree.reads) for tree in pieces) == len(several)


def drafts(tiny: Path, *, held: bool) -> list[GenerationRequest]:
    tokens = tokenizer.read_tokenizer(tiny)
    exam = made_exam()
    book = make_book(exam.passages[:5], lambda text: len(tokens.encode(text)))
    return [generation_request(tokens, book, item, 0, 12, constrained=held) for item in exam.items[:3]]


def test_what_is_written_on_the_shared_prefix_is_what_generate_writes(tiny: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(4)
    tokens = tokenizer.read_tokenizer(tiny)
    several = drafts(tiny, held=False)
    for draft, passage in zip(several, TransformersEngine(model, tokens).generate(several, BOOK), strict=True):
        ids = torch.tensor([draft.prompt])
        with torch.no_grad():
            seen = torch.ones_like(ids)
            whole = model.generate(ids, max_new_tokens=draft.max_tokens, do_sample=False, attention_mask=seen)
        expected = tokens.decode(whole[0, len(draft.prompt) :], skip_special_tokens=True)
        assert not isinstance(passage, RequestFailure)
        assert passage.text == expected


def test_a_held_answer_is_one_of_its_choices(tiny: Path) -> None:
    several = drafts(tiny, held=True)
    for draft, passage in zip(several, TransformersEngine.load(tiny).generate(several, BOOK), strict=True):
        assert not isinstance(passage, RequestFailure)
        assert passage.text in draft.choices


def questions(length: int) -> list[LikelihoodRequest]:
    """Twenty questions of five options on a Book of ``length`` tokens; some options begin alike."""
    drawn = torch.randint(4, 500, (length + 20 * 80,), generator=torch.Generator().manual_seed(length)).tolist()
    book, rest = tuple(drawn[:length]), iter(drawn[length:])

    def take(count: int) -> tuple[int, ...]:
        return tuple(next(rest) for _ in range(count))

    several = []
    for _ in range(20):
        question, begin = take(40), take(2)
        options = (*((*begin, *take(5)) for _ in range(3)), take(8), take(1))
        several.append(LikelihoodRequest((*book, *question), options))
    return several


@pytest.mark.parametrize("length", [2048, 8192, pytest.param(32768, marks=pytest.mark.slow)])
def test_a_book_and_what_questions_share_are_computed_once_and_as_without_a_cache(length: int, strong: Path) -> None:
    """At most 1.05 computed tokens for each different one, and likelihoods within 1e-4 nats in float32."""
    engine = TransformersEngine.load(strong, float32=True)
    several = questions(length)
    scores = list(engine.score(several, Book(id="b", text="book", tokens=length)))
    paths = {
        (*question.prompt[length:], *option[:end])
        for question in several
        for option in question.continuations
        for end in range(len(option))
    }
    unique = length + 20 * 39 + len(paths)
    assert engine.usage.computed_tokens is not None
    assert engine.usage.computed_tokens <= 1.05 * unique
    model = engine._model
    with torch.no_grad():
        for expected, value in zip(naive(model, several[-1]), scores[-1], strict=True):
            assert value == pytest.approx(expected, abs=1e-4)


def test_tokens_of_another_tokenizer_are_refused(tiny: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny)
    engine = TransformersEngine(model, tokenizer.read_tokenizer(tiny))
    beyond = int(model.config.vocab_size)
    for request in (LikelihoodRequest((1, beyond), ((2,),)), LikelihoodRequest((1, 2), ((3,), (beyond,)))):
        with pytest.raises(MedctxError, match=f"token ID {beyond:,}.*below {beyond:,}; put the tokenizer"):
            list(engine.score([request], BOOK))
    with pytest.raises(MedctxError, match=f"token ID {beyond:,}"):
        list(engine.generate([GenerationRequest((beyond,), "", 4)], BOOK))
