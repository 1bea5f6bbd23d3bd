from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medctx.schemas.records import Passage
from medctx.text.book import assemble_book, make_book, place_evidence


def words(text: str) -> int:
    return len(text.split())


def passage(name: str, size: int) -> Passage:
    return Passage(id=name, text=" ".join([name] * size))


sizes = st.lists(st.integers(1, 30), min_size=0, max_size=20)


@given(evidence=st.integers(1, 20), distractors=sizes, depth=st.floats(0, 1), limit=st.integers(20, 200))
def test_a_book_holds_its_evidence_whole_and_keeps_its_length(
    evidence: int, distractors: list[int], depth: float, limit: int
) -> None:
    gold = passage("gold", evidence)
    others = [passage(f"d{n}", size) for n, size in enumerate(distractors)]
    book = assemble_book([(depth, gold)], others, limit, words)
    assert book is not None
    assert book.tokens <= limit
    assert gold.text in book.text
    assert book.tokens == sum(words(passage.text) for passage in [gold, *others] if passage.id in book.passages)
    # Nothing that would still fit is left out.
    assert all(book.tokens + words(passage.text) > limit for passage in others if passage.id not in book.passages)


def test_evidence_longer_than_the_book_is_refused_not_cut() -> None:
    assert assemble_book([(0.5, passage("gold", 50))], [], 49, words) is None


@given(depth=st.floats(0, 1), count=st.integers(1, 30))
def test_depth_is_the_share_of_distractor_tokens_before_the_evidence(depth: float, count: int) -> None:
    others = [passage(f"d{n}", 10) for n in range(count)]
    order = place_evidence([(depth, passage("gold", 3))], others, [10] * count)
    before = [row.id for row in order].index("gold")
    assert abs(before / count - depth) <= 0.5 / count + 1e-9


def test_several_evidences_lie_in_the_order_of_their_depths() -> None:
    others = [passage(f"d{n}", 5) for n in range(10)]
    order = place_evidence([(0.9, passage("late", 1)), (0.1, passage("early", 1))], others, [5] * 10)
    names = [row.id for row in order]
    assert (names.index("early"), names.index("late")) == (1, 10)


def test_a_book_is_named_by_its_text() -> None:
    assert (
        make_book([passage("a", 2)], words).id
        == make_book([passage("a", 2)], words).id
        != make_book([passage("b", 2)], words).id
    )
