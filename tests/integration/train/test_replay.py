from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io.jsonl import write_records
from medctx.text import tokenizer
from medctx_train.config import SftConfig
from medctx_train.data.config import ReplaySettings
from medctx_train.data.dataset import TrainingData, load_data
from medctx_train.data.replay import ReplayText, encode_text, interleave_replay, shuffled_order
from medctx_train.data.tokenize import EncodedSample
from tests.support.made_training import dialogue


def sample(name: str, size: int) -> EncodedSample:
    return EncodedSample(id=name, source="s", ids=tuple(range(size)), carries_loss=(True,) * size)


sizes = st.lists(st.integers(1, 60), min_size=1, max_size=80)


@given(main=sizes, replayed=sizes, share=st.floats(0.01, 0.6))
def test_replay_keeps_its_share_at_every_point(main: list[int], replayed: list[int], share: float) -> None:
    first = [sample(f"m{number}", size) for number, size in enumerate(main)]
    # Long enough never to run out.
    others = [sample(f"r{number}", size) for number, size in enumerate(replayed * 300)]
    mixed, count = interleave_replay(first, [[sample] for sample in others], share)
    assert [sample for sample in mixed if sample.id[0] == "m"] == first
    taken = [sample for sample in mixed if sample.id[0] == "r"]
    assert taken == others[:count]
    due = sum(main) * share / (1 - share)
    assert abs(sum(len(sample.ids) for sample in taken) - due) <= max(replayed) / 2


@given(main=sizes, share=st.floats(0.02, 0.5))
def test_a_smaller_share_is_a_subset_of_a_larger_one(main: list[int], share: float) -> None:
    first = [sample(f"m{number}", size) for number, size in enumerate(main)]
    others = [sample(f"r{number}", 1 + number * 7 % 31) for number in range(5_000)]
    taken = [
        [row.id for row in interleave_replay(first, [[other] for other in others], part)[0] if row.id[0] == "r"]
        for part in (share / 2, share)
    ]
    assert taken[0] == taken[1][: len(taken[0])]


def test_the_order_hangs_on_the_seed_alone() -> None:
    assert shuffled_order(50, 1) == shuffled_order(50, 1) != shuffled_order(50, 2)
    assert sorted(shuffled_order(50, 1)) == list(range(50))


def test_a_replay_mix_that_runs_out_is_refused() -> None:
    with pytest.raises(MedctxError, match="holds 10 tokens, fewer than the 100"):
        interleave_replay([sample("m", 100)], [[sample("r", 10)]], 0.5)


def test_mix_and_share_belong_together() -> None:
    with pytest.raises(ValidationError, match="both a mix folder and a share"):
        ReplaySettings(share=0.1)


def test_a_plain_text_is_trained_on_whole_and_ends(tiny: Path) -> None:
    tokens = tokenizer.load_tokenizer(tiny)
    pieces = encode_text(tokens, ReplayText("a.txt", "Muscle weakness and seizure. " * 20), "replay/text", 32)
    assert all(len(piece.ids) <= 32 and all(piece.carries_loss) for piece in pieces)
    assert (
        tokens.decode([token for piece in pieces for token in piece.ids])
        == "Muscle weakness and seizure. " * 20 + "<|end|>"
    )


def loaded(tiny: Path, mix: Path, replay: Path, **changes: object) -> TrainingData:
    values = {"base": str(tiny), "mix": mix, "row_tokens": 128, "replay": {"mix": replay, "share": 0.2}}
    config = SftConfig.model_validate({**values, **changes})
    return load_data(config, tiny, config.seed)


def test_replayed_dialogues_are_counted_apart_and_never_those_of_the_mix(tiny: Path, mix: Path, tmp_path: Path) -> None:
    # The first forty stand in the mix already.
    write_records(tmp_path / "dialogues.jsonl", [dialogue(number) for number in range(200)])
    data = loaded(tiny, mix, tmp_path)
    names = [member.id for row in data.rows for member in row.members]
    assert len(names) == len(set(names))
    assert {source.source: source.replay for source in data.sources} == {
        "even": False, "odd": False, "replay/even": True, "replay/odd": True,
    }  # fmt: skip
    assert data.replay_share == pytest.approx(0.2, abs=0.01)
    assert sum(source.tokens for source in data.sources) == sum(row.tokens for row in data.rows)
    assert data.digest == loaded(tiny, mix, tmp_path, seed=7).digest
    assert data.rows != loaded(tiny, mix, tmp_path, seed=7).rows


def test_plain_texts_can_be_replayed(tiny: Path, mix: Path, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.txt").write_text("A dossier of findings. " * (3 + number), encoding="utf-8")
    data = loaded(tiny, mix, tmp_path)
    replayed = next(source for source in data.sources if source.replay)
    assert replayed.source == "replay/text"
    # Every token of a piece but its first is predicted.
    assert replayed.loss_tokens == replayed.tokens - replayed.samples


def test_dropped_and_split_dialogues_are_counted_by_source(tiny: Path, tmp_path: Path) -> None:
    write_records(tmp_path / "dialogues.jsonl", [dialogue(number, turns=1 + 3 * (number % 3)) for number in range(12)])
    values = {"base": str(tiny), "mix": tmp_path, "row_tokens": 60}
    dropped = load_data(SftConfig.model_validate({**values, "too_long": "drop"}), tiny, seed=0)
    assert {source.source: (source.dialogues, source.dropped, source.samples) for source in dropped.sources} == {
        "even": (6, 4, 2), "odd": (6, 4, 2),
    }  # fmt: skip
    split = load_data(SftConfig.model_validate({**values, "too_long": "split"}), tiny, seed=0)
    assert all((source.dialogues, source.dropped, source.split) == (6, 0, 4) for source in split.sources)
    with pytest.raises(MedctxError, match="Nothing of the mix"):
        load_data(SftConfig.model_validate({**values, "row_tokens": 8, "too_long": "drop"}), tiny, seed=0)
