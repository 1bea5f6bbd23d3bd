"""What a run says at its end."""

from __future__ import annotations

import pytest
from rich.console import Console

from medctx.schemas.exam_run import Cost
from medctx.schemas.records import Judged
from medctx_eval.artifacts.verdict_table import cost_line, verdict_table
from tests.support import synthetic_runs


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return list(synthetic_runs.judged("base", 20, 12))


def printed(judged: list[Judged]) -> list[list[str]]:
    console = Console(width=100, no_color=True)
    with console.capture() as captured:
        console.print(verdict_table("base", judged))
    return [line.split() for line in captured.get().splitlines()]


def test_every_verdict_is_counted_once_and_rows_add_up(judged: list[Judged]) -> None:
    rows = [line for line in printed(judged) if len(line) == 10 and line[2].isdigit()]
    for row in rows:
        assert int(row[2]) == sum(map(int, row[3:])), row
    assert sum(int(row[2]) for row in rows) == len(judged)


def test_depths_of_a_condition_are_one_row(judged: list[Judged]) -> None:
    with_book = next(each for each in judged if each.condition.startswith("open:"))
    deep = [with_book.model_copy(update={"condition": f"open:400:{depth}"}) for depth in (0.1, 0.5, 0.9)]
    rows = [line for line in printed(deep) if line[:1] == ["open:400"]]
    assert [row[2] for row in rows] == ["3"]


def test_what_a_server_does_not_tell_is_not_said() -> None:
    cost = Cost(requests=7, prompt_tokens=1000, computed_tokens=100, books=2, book_prefills=2.04)
    assert cost_line(cost) == (
        "7 requests, 1,000 prompt tokens of which 100 were computed (90.0 % from the cache), "
        "2.0 prefills of 2 Books, 0 s."
    )
    assert cost_line(Cost(requests=7, prompt_tokens=1000, seconds=3)) == "7 requests, 1,000 prompt tokens, 3 s."
