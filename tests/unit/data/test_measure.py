"""What is measured is measured once: no token is counted again for another ratio, seed or budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from medctx.schemas.records import Dialogue
from medctx_data.cleaning.fingerprints import Fingerprints
from medctx_data.mixture.compose import compose
from medctx_data.mixture.config import MixConfig
from medctx_data.mixture.draft import Draft
from medctx_data.mixture.draws import Sizing
from medctx_data.mixture.prepare import Tools, prepare_mix
from medctx_data.mixture.quota import source_requests
from medctx_data.row_store import features as measure
from medctx_data.row_store import rows
from medctx_data.row_store.features import measured
from medctx_data.row_store.rows import ShardedRows, gather
from medctx_data.sources.card import Supply
from medctx_data.sources.cards import domain_of
from medctx_data.sources.config import SourceConfig
from medctx_data.tokens.count import DialogueSize, Lengths
from tests.support.made_dialogues import dialogue, sizes, supplied


class Counted:
    """Counts words, and how many Dialogues it was given."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, dialogues: Sequence[Dialogue]) -> list[DialogueSize]:
        self.calls += len(dialogues)
        return sizes(dialogues)


def supply(source: SourceConfig) -> Supply:
    domain = domain_of(source)
    return supplied(source, [dialogue(f"{source.label}-{n}", domain, 2 + n % 20) for n in range(60)])


def made(count: Counted, name: str = "words", **keys: object) -> Draft:
    config = MixConfig.model_validate({"tokens": 300, "sources": ["alpaca", "medquad"], **keys})
    ready = prepare_mix(config, source_requests(config), Tools(supply, count, name))
    return compose(config, ready, "request", sizing=Sizing(count, config.wrap, len))


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "SHARD", 25)


def test_another_mix_of_the_same_sources_counts_no_token() -> None:
    count = Counted()
    made(count)
    assert count.calls == 120
    for keys in ({"ratio": "9:1"}, {"ratio": "0:1"}, {"seed": 3}, {"tokens": 900}, {"clean": {"near_duplicates": 0.8}}):
        made(count, **keys)
    assert count.calls == 120


def test_another_tokenizer_counts_again() -> None:
    count = Counted()
    made(count)
    made(count, name="characters")
    assert count.calls == 240


def test_a_kill_loses_the_shard_in_work(tmp_path: Path) -> None:
    dialogues = [dialogue(str(number), "medical", 4) for number in range(60)]
    gathered = gather(lambda: iter(dialogues), "ward", tmp_path)
    seen: list[str] = []

    def breaks(several: Sequence[Dialogue]) -> list[DialogueSize]:
        if several[0].id == "25" and "again" not in seen:
            raise KeyboardInterrupt
        seen.extend(row.id for row in several)
        return sizes(several)

    with pytest.raises(KeyboardInterrupt):
        measured(gathered.rows, Lengths(breaks, "words"), tmp_path, "ward", 1)
    seen.append("again")
    columns = measured(gathered.rows, Lengths(breaks, "words"), tmp_path, "ward", 1)
    assert columns["tokens"].tolist() == [4] * 60
    assert seen == [*map(str, range(25)), "again", *map(str, range(25, 60))]


def test_several_processes_measure_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rensa")
    dialogues = [dialogue(f"patient {number}", "medical", 4 + number) for number in range(60)]
    gathered = gather(lambda: iter(dialogues), "ward", tmp_path / "rows")
    assert isinstance(gathered.rows, ShardedRows)
    fingerprints = Fingerprints(similarity=0.8)
    monkeypatch.setattr(measure, "WORTH_PROCESSES", 2)
    alone = measured(gathered.rows, fingerprints, tmp_path / "one", "ward", 1)
    together = measured(gathered.rows, fingerprints, tmp_path / "two", "ward", 2)
    assert set(alone) == {"reason", "fingerprint", "keys"}
    assert all(np.array_equal(alone[name], together[name]) for name in alone)
