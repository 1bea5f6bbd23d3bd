"""``medctx-eval verify``: whole folders hold, any changed byte is noticed, and so is a change with new checksums."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.jsonl import read_record, write_record
from medctx.schemas.result import RESULT_FILE, CommandResult
from medctx_eval.artifacts.checksums import CHECKSUMS, check_checksums, write_checksums
from medctx_eval.cli.main import main
from medctx_eval.verify.recompute import first_difference, verify_report, verify_run
from tests.support import journalled_runs

CHANGES = 60
"""Bytes changed here; ``bench/scale/verify_bytes.py`` changes a thousand."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("study")
    journalled_runs.write_with_report(root, ("base", "0:1-0"))
    return root


@pytest.fixture
def copy(study: Path, tmp_path: Path) -> Path:
    shutil.copytree(study, tmp_path / "copy")
    return tmp_path / "copy"


def call(source: object, *more: object) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, (source, *more))])


def test_a_whole_report_and_its_runs_hold_in_one_line(study: Path) -> None:
    report = call(study / "report")
    assert report.exit_code == 0, report.output
    assert report.stdout.count("\n") == 1 and "numbers recomputed from" in report.stdout
    run = call(study / "runs" / "base")
    assert run.exit_code == 0, run.output
    assert "verdicts recomputed from replies" in run.stdout
    neither = call(study)
    assert neither.exit_code == 2 and "neither a run folder nor a report" in neither.stderr


@pytest.mark.parametrize("kind", ["run", "report"])
def test_the_result_is_printed_and_written_for_other_programs(kind: str, copy: Path, tmp_path: Path) -> None:
    source, out = (copy / "report" if kind == "report" else copy / "runs" / "base"), tmp_path / "out"
    held = call(source, "--out", out, "--json")
    printed, kept = CommandResult.model_validate_json(held.stdout), read_record(out / RESULT_FILE, CommandResult)
    assert (held.exit_code, printed.status, printed.labels["kind"]) == (0, "finished", kind)
    assert printed.command == "medctx-eval verify" and printed.numbers["verdicts"] > 0
    assert printed.text.startswith(f"{source} holds:") and printed.model_copy(update={"text": ""}) == kept
    edit(copy / "runs" / "base" / "verdicts.jsonl", lambda text: text.replace("correct", "wrong", 1))
    changed = call(source, "--out", out, "--json")
    printed = CommandResult.model_validate_json(changed.stdout)
    assert (changed.exit_code, printed.status) == (2, "error") and printed.message in changed.stderr
    kept = read_record(out / RESULT_FILE, CommandResult)
    assert kept.status == "error", "a result that holds no longer is replaced"


def test_the_result_of_another_command_is_not_replaced(study: Path, tmp_path: Path) -> None:
    file = tmp_path / RESULT_FILE
    write_record(file, CommandResult(command="medctx-eval report"))
    before = file.read_bytes()
    refused = call(study / "report", "--out", tmp_path)
    assert refused.exit_code == 2 and "is the result of medctx-eval report" in refused.stderr
    assert file.read_bytes() == before


def test_every_changed_byte_is_noticed(copy: Path) -> None:
    random = Random(7)
    files = [file for file in sorted(copy.rglob("*")) if file.is_file() and file.suffix not in {".png", ".svg"}]
    assert {"replies.jsonl", "items.jsonl.gz", "report.json", "decision.json", CHECKSUMS} <= {
        file.name for file in files
    }
    for _ in range(CHANGES):
        file = random.choice(files)
        content = bytearray(file.read_bytes())
        place = random.randrange(len(content))
        content[place] ^= random.randrange(1, 256)
        original = file.read_bytes()
        file.write_bytes(content)
        with pytest.raises(MedctxError):
            verify_report(copy / "report")
        file.write_bytes(original)
    verify_report(copy / "report")


def rewrite(folder: Path) -> None:
    """New checksums of the files that had some."""
    names = [line.split("  ", 1)[1] for line in (folder / CHECKSUMS).read_text().splitlines()]
    write_checksums(folder, [folder / name for name in names])


def edit(file: Path, change: Callable[[str], str]) -> None:
    text = file.read_text(encoding="utf-8")
    changed = change(text)
    assert changed != text
    file.write_text(changed, encoding="utf-8")
    rewrite(file.parent)


def renew_digest(run: Path) -> None:
    """Write the digest of the changed verdicts into the manifest, as somebody would who changes them on purpose."""
    manifest = json.loads((run / "exam.json").read_text(encoding="utf-8"))
    manifest["verdicts_digest"] = digest.of_file(run / "verdicts.jsonl")
    (run / "exam.json").write_text(json.dumps(manifest), encoding="utf-8")
    rewrite(run)


def test_a_verdict_that_does_not_follow_from_its_reply_is_named_though_checksums_match(copy: Path) -> None:
    run = copy / "runs" / "0:1-0"
    edit(run / "verdicts.jsonl", lambda text: text.replace('"verdict":"wrong"', '"verdict":"correct"', 1))
    renew_digest(run)
    check_checksums(run, ())
    with pytest.raises(MedctxError, match=r"the verdict correct . on .* does not follow from the journal: its"):
        verify_run(run)


def test_a_missing_reply_and_a_changed_gold_letter_are_named(copy: Path) -> None:
    base, tuned = copy / "runs" / "base", copy / "runs" / "0:1-0"
    edit(base / "replies.jsonl", lambda text: text.split("\n", 1)[1])
    with pytest.raises(MedctxError, match="the journal has no reply to it"):
        verify_run(base)
    edit(tuned / "verdicts.jsonl", lambda text: text.replace('"gold":["A"]', '"gold":["B"]', 1))
    renew_digest(tuned)
    with pytest.raises(MedctxError, match="its gold letters"):
        verify_run(tuned)


@pytest.mark.parametrize(
    ("name", "keys"), [("report.json", ("scores", 0, "accuracy", "low")), ("decision.json", ("cards", 0, "metrics"))]
)
def test_a_changed_number_is_named_by_its_place(copy: Path, name: str, keys: tuple[str | int, ...]) -> None:
    file = copy / "report" / name
    content = json.loads(file.read_text(encoding="utf-8"))
    target = content
    for key in keys[:-1]:
        target = target[key]
    if isinstance(target[keys[-1]], dict):
        target, keys = target[keys[-1]], (*keys, "knowledge.accuracy")
    target[keys[-1]] = target[keys[-1]] / 2
    file.write_text(json.dumps(content), encoding="utf-8")
    rewrite(file.parent)
    with pytest.raises(MedctxError, match=rf"{name} does not follow from its runs: .*{keys[-1]}: [\d.]+, recomputed"):
        verify_report(copy / "report")


def test_a_config_in_a_report_that_is_none_is_named_in_one_sentence(copy: Path) -> None:
    file = copy / "report" / "report.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["configs"]["report"] = "margins: 0.05\n"
    file.write_text(json.dumps(content), encoding="utf-8")
    rewrite(file.parent)
    result = call(copy / "report")
    assert result.exit_code == 2
    assert "Unknown key 'margins' in the config of" in result.stderr and len(result.stderr.splitlines()) == 1


def test_differences_are_named_by_path() -> None:
    assert first_difference({"a": [1.0, {"b": 2}]}, {"a": [1.0 + 1e-9, {"b": 2}]}) == ""
    assert first_difference({"a": [1.0, {"b": 2}]}, {"a": [1.0, {"b": 3}]}) == ".a[1].b: 2, recomputed 3"
    assert first_difference({"a": 1}, {}) == ".a: only in the file"
    assert first_difference([1], [1, 2]) == ": 1 entries, recomputed 2"
    assert first_difference(True, 1) == "" and first_difference("x", "y") == ": 'x', recomputed 'y'"


@pytest.mark.parametrize("place", ["base", "0:1-0", "."])
def test_a_report_is_not_written_over_runs(place: str, copy: Path) -> None:
    """It would replace their checksums, config and result."""
    runs = copy / "runs"
    before = {file: file.read_bytes() for file in runs.rglob("*") if file.is_file()}
    arguments = ["report", str(runs / "base"), str(runs / "0:1-0"), "--set", "draws=200", "--out", str(runs / place)]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2 and "holds examined models" in refused.stderr
    after = {file: file.read_bytes() for file in runs.rglob("*") if file.is_file() and file.name != RESULT_FILE}
    assert after == before
