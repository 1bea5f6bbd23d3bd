"""Knows, reads, trusts memory, invents: on records whose every answer is written down."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from medctx.schemas.records import Axis, Judged, Verdict
from medctx.schemas.statistics import Behaviour
from medctx_eval.stats.answers import answers
from medctx_eval.stats.behaviour import behaviour

AXES: dict[str, Axis] = {
    "closed": "knowledge",
    "gold": "reading",
    "open:400:0.5": "reading",
    "distractor:400": "abstention",
    "counterfactual": "faithfulness",
}
ITEMS = 40
"""Two a cluster; the first half of the items is known, and of these the first half again is remembered."""


def judge(item: int, condition: str, verdict: Verdict, chosen: str, order: int = 0, memory: str = "") -> Judged:
    gold = {"distractor:400": "E", "counterfactual": "B"}.get(condition, "A")
    return Judged(
        item=f"i{item:02d}",
        exam="made",
        condition=condition,
        axis=AXES[condition],
        cluster=f"c{item // 2}",
        mode="letter",
        order=order,
        verdict=verdict,
        chosen=(chosen,) if chosen else (),
        gold=(gold,),
        memory=(memory,) if memory else (),
    )


def made_run(orders: int = 1, reads: int = 30) -> Iterator[Judged]:
    for item in range(ITEMS):
        for order in range(orders):
            known = item < 20
            yield judge(item, "closed", Verdict.CORRECT if known else Verdict.WRONG, "A" if known else "C", order)
            for condition in ("gold", "open:400:0.5"):
                right = item < reads
                yield judge(item, condition, Verdict.CORRECT if right else Verdict.WRONG, "A" if right else "D", order)
            remembered = item < 10
            chosen = "A" if remembered else "B"
            verdict = Verdict.WRONG if remembered else Verdict.CORRECT
            yield judge(item, "counterfactual", verdict, chosen, order, memory="A")
            # A quarter declines by letter, a quarter in words, a quarter answers, a quarter mumbles.
            declined = (
                (Verdict.CORRECT, "E"),
                (Verdict.ABSTAINED, ""),
                (Verdict.WRONG, "C"),
                (Verdict.UNPARSABLE, ""),
            )
            yield judge(item, "distractor:400", *declined[item % 4], order)


def behaviour_of(*runs: list[Judged]) -> Behaviour:
    return behaviour(answers(runs, "letter"), draws=200)


def test_every_rate_is_the_one_written_down() -> None:
    made = behaviour_of(list(made_run()))
    assert made.knows is not None
    assert made.reads is not None
    assert made.context_gain is not None
    assert made.trusts_memory is not None
    assert made.invents is not None
    assert (made.knows.value, made.knows.n) == (0.5, 40)
    assert (made.reads.value, made.reads.n) == (0.75, 80)
    assert (made.context_gain.value, made.context_gain.n, made.context_gain.only_first) == (0.25, 40, 10)
    assert (made.trusts_memory.value, made.trusts_memory.n) == (0.5, 20)
    assert (made.invents.value, made.invents.n) == (pytest.approx(1 / 3), 30)
    assert made.knows.clusters == 20
    assert [(gain.condition, gain.difference.value) for gain in made.gains] == [("gold", 0.25), ("open:400", 0.25)]


def test_orders_of_options_change_neither_n_nor_rates() -> None:
    assert behaviour_of(list(made_run(orders=3))) == behaviour_of(list(made_run()))


def test_an_item_is_known_when_most_of_its_orders_are_right() -> None:
    records = [
        verdict.model_copy(update={"verdict": Verdict.WRONG, "chosen": ("C",)})
        if verdict.condition == "closed" and verdict.order > 0 and verdict.item == "i00"
        else verdict
        for verdict in made_run(orders=3)
    ]
    made = behaviour_of(records)
    assert made.trusts_memory is not None
    assert made.trusts_memory.n == 19


def test_seeds_are_averaged_item_by_item() -> None:
    made = behaviour_of(list(made_run(reads=30)), list(made_run(reads=20)))
    assert made.reads is not None
    assert (made.reads.value, made.reads.n, made.reads.seeds) == (0.625, 80, 2)
    assert made.reads.seed_error is not None
    assert made.reads.seed_error > 0


def test_untaught_facts_and_what_does_not_fit_count_nowhere() -> None:
    records = [
        verdict.model_copy(update={"tags": {"taught": "no"}})
        if int(verdict.item[1:]) >= 30
        else verdict.model_copy(update={"verdict": Verdict.DOES_NOT_FIT, "chosen": ()})
        if verdict.condition == "open:400:0.5" and verdict.item < "i10"
        else verdict
        for verdict in made_run()
    ]
    made = behaviour_of(records)
    assert made.knows is not None
    assert (made.knows.n, made.knows.value) == (30, pytest.approx(2 / 3))
    opened = next(gain for gain in made.gains if gain.condition == "open:400")
    assert opened.difference.n == 30


def test_what_was_not_asked_is_nothing() -> None:
    closed = [verdict for verdict in made_run() if verdict.condition == "closed"]
    made = behaviour_of(closed)
    assert made.knows is not None
    assert (made.reads, made.context_gain, made.trusts_memory, made.invents, made.gains) == (None, None, None, None, ())


def test_runs_that_were_asked_different_things_are_refused() -> None:
    records = list(made_run())
    with pytest.raises(ValueError, match="not asked the same"):
        answers([records, records[1:]], "letter")
