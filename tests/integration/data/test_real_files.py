"""Cleaning and the contamination report on the real files, where a checkout has them beside it."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from medctx.facts.curriculum import CurriculumConfig
from medctx.io.cache import cache_folder
from medctx_data.cleaning.config import CleanConfig
from medctx_data.cleaning.filters import SourceRows, clean
from medctx_data.cleaning.fingerprints import dialogue_batches
from medctx_data.contamination.exam_files import read_exams
from medctx_data.contamination.exam_index import ExamIndex
from medctx_data.contamination.overlap import find_overlaps
from medctx_data.row_store.rows import gather
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.registry import open_source
from tests.support.paths import REAL_DATA


def file(name: str) -> Path:
    path = REAL_DATA / f"{name}.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"the real file {path} is not on this machine")
    return path


def opened(source: str, name: str) -> SourceRows:
    supply = open_source(SourceConfig(source=source, path=file(name)), 0, CurriculumConfig.model_validate({}))
    assert supply.read is not None
    folder = cache_folder() / source
    return SourceRows(source, gather(supply.read, source, folder), folder)


@pytest.mark.parametrize(
    ("source", "name", "rows", "dropped"),
    [
        ("medquad", "sft_medical_medquad", 16_407, {"duplicate": 48}),
        ("mts-dialog", "sft_medical_mts_dialog", 1_201, {"duplicate": 1}),
        ("huatuo-zh", "sft_medical_huatuo_zh", 8_658, {}),
        ("gsm8k", "sft_general_gsm8k", 7_473, {}),
    ],
)
def test_every_row_is_kept_or_counted(source: str, name: str, rows: int, dropped: dict[str, int]) -> None:
    (cleaned,) = clean([opened(source, name)], CleanConfig())
    assert Counter(exclusion.reason for exclusion in cleaned.exclusions) == dropped
    assert len(cleaned.kept) + sum(dropped.values()) == rows


def test_notes_alike_are_found_among_real_rows() -> None:
    pytest.importorskip("rensa")
    (cleaned,) = clean([opened("mts-dialog", "sft_medical_mts_dialog")], CleanConfig(near_duplicates=0.8))
    near = [exclusion for exclusion in cleaned.exclusions if exclusion.reason == "near_duplicate"]
    kept = len(cleaned.kept)
    assert kept + len(cleaned.exclusions) == 1_201
    assert 0 < len(near) < 200


@pytest.mark.slow
def test_medquad_and_alpaca_touch_books_in_four_rows_and_no_question() -> None:
    pytest.importorskip("rensa")
    names = ("medqa_usmle_test", "medmcqa_dev", "mmlu_medical_test", "pubmedqa_test", "zh_exams_test")
    books = [
        f"{exam}={file(f'openstax_{exam}_{part}')}" for exam in ("anatomy", "psychology") for part in ("items", "books")
    ]
    index = ExamIndex(read_exams([*(str(file(name)) for name in names), *books]), 0.8)
    sources = (("alpaca", "sft_general_alpaca_en"), ("medquad", "sft_medical_medquad"))
    supplies = [
        open_source(SourceConfig(source=source, path=file(name)), 0, CurriculumConfig.model_validate({}))
        for source, name in sources
    ]
    rows = chain.from_iterable(supply.read() for supply in supplies if supply.read)
    results = [overlap for batch in dialogue_batches(rows) for overlap in find_overlaps(batch, index)]  # type: ignore[arg-type]
    assert {overlap.where for overlap in results} == {"book"}
    # The same four rows a plain search for thirteen equal words finds.
    assert {overlap.row for overlap in results} == {"alpaca-44632", "alpaca-29721", "medquad-14278", "medquad-97"}
