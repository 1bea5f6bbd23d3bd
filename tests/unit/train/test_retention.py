from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from medctx.io.jsonl import write_text
from medctx_train.probe import retention
from medctx_train.probe.config import RetentionSettings
from medctx_train.probe.probe import ProbeAnswer, ProbeResult
from medctx_train.probe.retention import retained_steps


def probe(step: int, reading: int, of: int = 10) -> ProbeResult:
    answers = tuple(
        ProbeAnswer(item=f"i{n}", axis="reading", chosen="A", right=n < reading, share=0.5) for n in range(of)
    )
    return ProbeResult(step=step, items="digest", answers=answers)


def test_each_rule_keeps_its_states_and_says_so() -> None:
    settings = RetentionSettings(every=20, best=("reading",), last=2)
    probes = [probe(0, 9), probe(10, 5), probe(20, 7), probe(30, 7), probe(40, 3)]
    assert retained_steps(settings, 45, 5, probes) == {
        20: ("every 20", "best reading"),
        40: ("every 20", "last 2"),
        45: ("last 2",),
    }


def test_nothing_is_kept_unless_asked_for() -> None:
    assert retained_steps(RetentionSettings(), 100, 10, [probe(0, 1), probe(50, 9)]) == {}


@hypothesis_settings(deadline=None)
@given(st.integers(0, 7), st.integers(0, 3), st.integers(1, 6), st.lists(st.integers(0, 10), min_size=30, max_size=30))
def test_a_run_killed_after_a_checkpoint_still_has_what_it_will_want(
    every: int, last: int, checkpoint_every: int, values: list[int]
) -> None:
    """Dropping at checkpoints only: what is wanted after one was never dropped before, whatever came after it."""
    settings = RetentionSettings(every=every, best=("reading",), last=last)
    probes = [probe(step, value) for step, value in enumerate(values)]
    there: set[int] = set()
    for done in range(1, 30):
        now = retained_steps(settings, done, checkpoint_every, probes[: done + 1])
        there |= {done} & now.keys()
        if done % checkpoint_every == 0:
            there &= now.keys()
            after_checkpoint = set(now)
        # Killed here and restored at the last checkpoint: all it wants is there.
        if done >= checkpoint_every:
            assert after_checkpoint <= there


def test_the_list_names_only_whole_folders_and_the_others_go(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        write_text(tmp_path / "retained" / retention.state_folder(step) / "model.safetensors", "x")
    retention.write_index(
        tmp_path, {10: ("every 10",), 20: ("every 10", "best reading"), 40: ("last 1",)}, [probe(20, 4)]
    )
    listed = retention.read_index(tmp_path).states
    assert [(state.step, state.folder, state.rules) for state in listed] == [
        (10, "step-10", ("every 10",)),
        (20, "step-20", ("every 10", "best reading")),
    ]
    assert listed[1].probe["probe.reading"] == 0.4
    retention.remove_unlisted(tmp_path)
    assert sorted(path.name for path in (tmp_path / "retained").iterdir()) == ["retained.json", "step-10", "step-20"]
