"""The loaders on the real files, where a checkout has them beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.curriculum import CurriculumConfig
from medctx_data.mix_config import SourceConfig
from medctx_data.sources.registry import open_source

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("name", "file", "rows", "dropped"),
    [
        ("medquad", "sft_medical_medquad", 16_407, 48),
        ("mts-dialog", "sft_medical_mts_dialog", 1_201, 1),
        ("huatuo-zh", "sft_medical_huatuo_zh", 8_658, 0),
        ("gsm8k", "sft_general_gsm8k", 7_473, 0),
    ],
)
def test_every_row_is_kept_or_counted(name: str, file: str, rows: int, dropped: int) -> None:
    path = DATA / f"{file}.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"the real file {path} is not on this machine")
    supply = open_source(SourceConfig(source=name, path=path), 0, CurriculumConfig.model_validate({}))
    assert sum(supply.dropped.values()) == dropped
    assert len(supply.rows) + dropped == rows
