"""Where a loss lies: it must be found where it was put, and not where it was not."""

from __future__ import annotations

import numpy as np
import pytest

from medctx.schemas.records import Book, ExamItem, Judged, Verdict
from medctx.schemas.statistics import Trend
from medctx_eval.stats.answers import Answers, answers
from medctx_eval.stats.attribution import attribution, distractor_band

LENGTHS = (512, 2048, 8192)
DEPTHS = (0.0, 0.5, 1.0)


def made(
    loss_per_doubling: float, *, clusters: int = 60, per_cluster: int = 9, loss: float = 0.05, seed: int = 0
) -> Answers:
    """A base that reads 70 % everywhere, and a tuned run (row 0) that loses more the longer the Book."""
    rng = np.random.default_rng(seed)
    conditions = ("gold", *(f"open:{tokens}:{depth:g}" for tokens in LENGTHS for depth in DEPTHS))
    items = clusters * per_cluster
    item = np.repeat(np.arange(items), 2)
    # Every item is asked with its evidence alone and in one open Book.
    condition = np.stack([np.zeros(items, dtype=np.int64), 1 + np.arange(items) % 9], axis=1).ravel()
    doublings = np.array([0, *(np.log2(tokens / 512) for tokens in LENGTHS for _ in DEPTHS)])[condition]
    common = rng.normal(0, 0.08, clusters)[item // per_cluster]
    chance = np.stack([0.7 - loss * (condition > 0) - loss_per_doubling * doublings, np.full(2 * items, 0.7)]) + common
    correct = rng.random(chance.shape) < chance
    nothing = np.zeros_like(correct)
    return Answers(
        item=item,
        cluster=item // per_cluster,
        condition=condition,
        conditions=conditions,
        taught=np.ones(len(item), dtype=bool),
        fits=np.ones(len(item), dtype=bool),
        correct=correct,
        wrong=~correct,
        abstained=nothing,
        from_memory=nothing,
    )


def term(trend: Trend | None, name: str) -> tuple[float, float, float]:
    assert trend is not None
    effect = next(effect for effect in trend.terms if effect.name == name)
    assert effect.low <= effect.value <= effect.high
    assert effect.odds == pytest.approx(np.exp(effect.value))
    return effect.low, effect.value, effect.high


def test_a_loss_that_grows_with_length_is_found_there_and_not_at_a_depth() -> None:
    result = attribution(made(0.08, clusters=200), 0, 1, draws=300)
    assert [cell.tokens for cell in result.by_tokens] == [None, *LENGTHS]
    gold, *opened = (cell.difference for cell in result.by_tokens)
    assert gold.outcome() == "not told apart"
    assert opened[-1].outcome() == "loses"
    assert opened[-1].value < opened[0].value - 0.15
    assert all(score.difference.outcome() == "loses" for score in result.by_depth)
    low, _, high = term(result.trend, "model x length")
    assert high < 0
    assert low > -1
    for name in ("model x depth", "model x edge", "length", "depth"):
        low, value, high = term(result.trend, name)
        # Twice the interval: of four true terms none leaves it in 9,999 of 10,000 exams.
        assert abs(value) < high - low, name


def test_cells_name_their_items_and_add_up() -> None:
    result = attribution(made(0.05), 0, 1, draws=100)
    assert sum(score.difference.n for score in result.by_tokens_and_depth) == 540
    assert {(score.tokens, score.depth) for score in result.by_tokens_and_depth} == {
        (t, d) for t in LENGTHS for d in DEPTHS
    }
    whole = sum(score.difference.value * score.difference.n for score in result.by_depth) / 540
    parts = sum(score.difference.value * score.difference.n for score in result.by_tokens_and_depth) / 540
    assert whole == pytest.approx(parts)
    assert result.by_distractors == ()
    assert result.by_all == ()


def test_terms_say_what_they_compare() -> None:
    result = attribution(made(0.05), 0, 1, draws=100).trend
    assert result is not None
    meanings = {term.name: term.meaning for term in result.terms}
    assert meanings["model x length"] == "the tuned model, beyond base, for every doubling of the Book"
    assert meanings["model"] == "the tuned model against base in a Book of 2,048 tokens"
    assert result.rows == 1080


def test_interactions_alarm_rarely_with_few_clusters() -> None:
    """100 exams of 20 clusters without any interaction: at most 12 false alarms of 100 (5 expected, 3.2 errors)."""
    alarms = 0
    for seed in range(100):
        result = attribute_trend(made(0.0, clusters=20, loss=0.0, seed=seed))
        assert result.bias_reduced
        assert result.few_clusters
        low, _, high = term(result, "model x length")
        alarms += not low <= 0 <= high
    assert alarms <= 12


def attribute_trend(columns: Answers) -> Trend:
    from medctx_eval.stats.trend import trend

    result = trend(columns, [0], [1])
    assert result is not None
    return result


def test_what_cannot_be_fitted_is_nothing() -> None:
    columns = made(0.0, clusters=9)
    assert attribution(columns, 0, 1, draws=100).trend is None
    rng = np.random.default_rng(0)
    perfect = made(0.0)
    perfect.correct[0] = True
    assert attribution(perfect, 0, 1, draws=100).trend is None
    perfect.correct[0] = rng.random(perfect.correct.shape[1]) < 0.5
    assert attribution(perfect, 0, 1, draws=100).trend is not None


def test_several_seeds_are_runs_of_one_cell() -> None:
    first, other = made(0.05, seed=1), made(0.05, seed=2)
    both = Answers(**{**vars(first), "correct": np.vstack([first.correct, other.correct[:1]])})
    result = attribution(both, (0, 2), 1, draws=100)
    assert result.by_tokens[0].difference.seeds == 2
    assert result.by_tokens[0].difference.seed_error is not None
    assert result.trend is not None
    assert result.trend.rows == 3 * 540


@pytest.mark.parametrize(("count", "expected"), [(0, (0, 0)), (1, (1, 1)), (3, (2, 3)), (4, (4, 7)), (15, (8, 15))])
def test_bands_double(count: int, expected: tuple[int, int]) -> None:
    assert distractor_band(count) == expected


def test_distractors_are_counted_from_the_books() -> None:
    def judged(item: str, book: str, verdict: Verdict) -> Judged:
        return Judged(
            item=item, exam="made", condition="open:100:0.5", axis="reading", cluster=item, mode="text",
            verdict=verdict, gold=("A",), book=book,
        )  # fmt: skip

    def item(name: str) -> ExamItem:
        return ExamItem(
            id=name, exam="made", question="?", options={"A": "a", "B": "b"}, gold=("A",), evidence=(f"e-{name}",),
            cluster=name,
        )  # fmt: skip

    books = {
        "small": Book(id="small", text="t", passages=("e-x", "e-y"), tokens=40),
        "large": Book(id="large", text="t", passages=("e-z", *(f"p{place}" for place in range(5))), tokens=90),
    }
    runs = [
        [judged("x", "small", verdict), judged("y", "small", verdict), judged("z", "large", Verdict.CORRECT)]
        for verdict in (Verdict.WRONG, Verdict.CORRECT)
    ]
    columns = answers(runs, "text", books, {name: item(name) for name in "xyz"})
    assert columns.distractors is not None
    assert columns.distractors.tolist() == [1, 1, 5]
    result = attribution(columns, 0, 1, draws=100)
    assert [(score.distractors, score.difference.value) for score in result.by_distractors] == [
        ((1, 1), -1),
        ((4, 7), 0),
    ]
    assert [(score.tokens, score.depth, score.distractors) for score in result.by_all] == [
        (100, 0.5, (1, 1)),
        (100, 0.5, (4, 7)),
    ]
