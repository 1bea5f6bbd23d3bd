"""What a run cost, added up over the sessions it took."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as some

from medctx.schemas.exam_run import Usage, total_usage
from medctx_eval.engines.protocol import Engine
from medctx_eval.run import usage_log
from medctx_eval.run.usage_log import UsageLog

RECEIPTS = some.builds(
    Usage,
    requests=some.integers(0, 100),
    prompt_tokens=some.integers(0, 10_000),
    computed_tokens=some.integers(0, 10_000),
    book_prefills=some.none() | some.integers(0, 20).map(float),
    seconds=some.integers(0, 500).map(float),
)


@given(some.lists(RECEIPTS, min_size=1, max_size=6))
def test_what_came_since_each_moment_adds_up_to_the_whole(parts: list[Usage]) -> None:
    moments = [total_usage(parts[:count]) for count in range(1, len(parts) + 1)]
    steps = [now.since(before) for before, now in zip([Usage(), *moments], moments, strict=False)]
    assert total_usage(steps) == moments[-1] == total_usage(parts)


def test_computed_tokens_are_unknown_where_one_session_does_not_know_them() -> None:
    stated, untold = Usage(requests=3, computed_tokens=10), Usage(requests=4)
    assert total_usage([stated, untold]) == Usage(requests=7)
    assert total_usage([stated, stated]).computed_tokens == 20


def counting() -> SimpleNamespace:
    return SimpleNamespace(usage=Usage())


def test_a_continued_run_costs_what_all_its_sessions_cost(tmp_path: Path) -> None:
    for session in range(3):
        engine = counting()
        with UsageLog(tmp_path, cast("Engine", engine)) as spent:
            engine.usage = Usage(requests=10, prompt_tokens=100, seconds=2.0)
        assert spent.total == Usage(
            requests=10 * (session + 1), prompt_tokens=100 * (session + 1), seconds=2.0 * (session + 1)
        )


def test_what_was_spent_before_a_kill_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage_log, "INTERVAL_S", 0.0)
    engine = counting()
    killed = UsageLog(tmp_path, cast("Engine", engine))
    engine.usage = Usage(requests=5, computed_tokens=50)
    killed.note()
    engine = counting()
    with UsageLog(tmp_path, cast("Engine", engine)) as spent:
        engine.usage = Usage(requests=2, computed_tokens=20)
    assert spent.total == Usage(requests=7, computed_tokens=70)


def test_nothing_is_written_again_at_once(tmp_path: Path) -> None:
    with UsageLog(tmp_path, cast("Engine", counting())) as spent:
        for _ in range(50):
            spent.note()
        assert (tmp_path / usage_log.FILE).read_bytes() == b""
