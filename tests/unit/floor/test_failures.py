"""Errors of the system, of text and of YAML are one sentence with exit code 2; secrets and the umask are respected."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from medctx.config.cli import one_sentence
from medctx.config.command_result import reported
from medctx.config.failures import explain_failure
from medctx.config.loading import Config, dump, load, parse_yaml
from medctx.config.names import check_name
from medctx.errors import MedctxError
from medctx.io.cache import cache_folder
from medctx.io.jsonl import JsonProblemError, parse_json, read_rows, write_text
from medctx.io.masking import MASK, mask_secrets, register_secret
from medctx.schemas.result import CommandResult


def _loop(folder: Path) -> Path:
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return folder / "a" / "file.txt"


def _below_a_file(folder: Path) -> Path:
    (folder / "taken").write_text("a file")
    return folder / "taken" / "out" / "file.txt"


def _a_folder(folder: Path) -> Path:
    (folder / "file.txt").mkdir()
    return folder / "file.txt"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (_loop, "symbolic links form a loop"),
        (_below_a_file, "a folder where a file lies"),
        (_a_folder, "is a folder where a file is needed"),
        (lambda folder: folder / ("long" * 100), "name that is too long"),
    ],
)
@pytest.mark.parametrize("wrapper", [one_sentence, reported])
def test_a_place_that_cannot_be_written_is_one_sentence(
    wrapper: Callable[[Callable[[], object]], Callable[[], object]],
    target: Callable[[Path], Path],
    words: str,
    tmp_path: Path,
) -> None:
    path = target(tmp_path)

    def write() -> CommandResult | None:
        write_text(path, "text")
        return None

    result = CliRunner().invoke(click.command()(wrapper(write)))
    assert result.exit_code == 2
    assert words in result.stderr and str(tmp_path) in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_error_of_the_system_is_one_sentence_that_names_the_file(number: int) -> None:
    explained = explain_failure(OSError(number, os.strerror(number), "some/file"))
    assert explained is not None
    assert "some/file" in str(explained) and str(explained).endswith(".") and "\n" not in str(explained)


def test_a_full_disk_says_that_results_are_kept() -> None:
    assert "what was finished is kept" in str(explain_failure(OSError(errno.ENOSPC, "", "out/mix")))


def test_defects_keep_their_traceback() -> None:
    @click.command()
    @one_sentence
    def command() -> None:
        raise ZeroDivisionError

    assert explain_failure(ZeroDivisionError()) is None
    assert isinstance(CliRunner().invoke(command).exception, ZeroDivisionError)


def test_a_closed_output_ends_quietly() -> None:
    code = (
        "import click\nfrom medctx.config.cli import one_sentence\n"
        "@click.command()\n@one_sentence\ndef command():\n    [print('line ' * 100) for _ in range(10_000)]\ncommand()"
    )
    process = subprocess.run(f'{sys.executable} -c "{code}" | head -1', shell=True, capture_output=True, check=True)
    assert process.stdout.startswith(b"line line") and not process.stderr


def test_without_a_home_the_cache_is_the_folder_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setenv("MEDCTX_CACHE", "/somewhere/cache")
    assert cache_folder() == Path("/somewhere/cache")
    monkeypatch.delenv("MEDCTX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/medctx")
    monkeypatch.delenv("XDG_CACHE_HOME")
    with pytest.raises(MedctxError, match="set MEDCTX_CACHE"):
        cache_folder()


class Example(Config):
    seed: int = 0
    url: str = ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"seed: 010", "must not begin with 0"),
        (b"seed: -007", "must not begin with 0"),
        (b"seed: 1\nseed: 2", "the key 'seed' twice"),
        (b"seed: !!int abc", "no whole number"),
        (b"seed: !!float abc", "is not YAML"),
        (b"seed: \xff\xfe", "is not UTF-8"),
        (b"seed: \x00", "is not YAML"),
        (b"seed: " + b"[" * 5_000, "nested too deeply"),
        (b"seed: !!python/object:os.system x", "is not YAML"),
        (b"- a list", "not keys with values"),
    ],
)
def test_yaml_that_means_something_else_or_nothing_is_one_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(MedctxError, match=r"config\.yaml") as error:
        load(Example, path)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("-5", -5), ("'010'", "010"), ("0.5", 0.5), ("10", 10)])
def test_ordinary_numbers_stay_what_they_are(text: str, value: object) -> None:
    assert parse_yaml(text, "here") == value


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"a": "\\ud835"}', "half of a surrogate pair"),
        (b'{"a": "\\udc00 x"}', "half of a surrogate pair"),
        (b'{"a": 1, "a": 2}', "the key 'a' twice"),
        (b"\xff", "is not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ', "is not JSON"),
    ],
)
def test_json_that_cannot_be_used_is_named_with_file_and_line(line: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(JsonProblemError, match=words):
        parse_json(line)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": "\\ud83d\\ude00"}\n' + line + b"\n")
    with pytest.raises(MedctxError, match=rf"rows\.jsonl:2 .*{words}"):
        list(read_rows(path))


@pytest.mark.parametrize("damage", [lambda packed: packed[:-12], lambda packed: b"plain", lambda packed: packed[:40]])
def test_a_damaged_archive_is_one_sentence(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    write_text(path, '{"a": "some text that is packed"}\n' * 50)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(MedctxError, match="no complete gzip archive"):
        list(read_rows(path))


PLANTED = "Zq7-planted-Secret-0193"


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:{PLANTED}@host/v1",
        f"https://{PLANTED}@host/v1",
        f"GET /v1?model=a&api_key={PLANTED}&b=2",
        f"https://bucket/file?X-Amz-Signature={PLANTED}",
        f"Authorization: Bearer {PLANTED}",
        f'{{"authorization": "Bearer {PLANTED}", "accept": "*/*"}}',
        f"'x-api-key': '{PLANTED}'",
        f"the server says: Bearer {PLANTED} is unknown",
        f"token sk-{PLANTED}",
        f"hf_{PLANTED.replace('-', '')}",
    ],
)
def test_secrets_are_masked_and_their_surroundings_stay(text: str) -> None:
    masked = mask_secrets(text)
    assert PLANTED not in masked and PLANTED.replace("-", "") not in masked and MASK in masked
    assert masked.partition(MASK)[0] == text[: len(masked.partition(MASK)[0])]


def test_values_of_the_environment_and_registered_ones_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARD_API_KEY", PLANTED)
    assert mask_secrets(f"the server echoes {PLANTED}!") == f"the server echoes {MASK}!"
    register_secret("another-hidden-value")
    assert mask_secrets("x another-hidden-value y") == f"x {MASK} y"


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"])))
def test_ordinary_text_is_not_changed(text: str) -> None:
    if not any(sign in text for sign in ("://", "?", "&", "=", ":")):
        assert mask_secrets(text) == text


@pytest.mark.parametrize(
    "text", ["ratio=1:1 tokens=40000", "mix the key tokens=3", "see https://host/a?b=c", "The answer is B: tokens", ""]
)
def test_ordinary_settings_and_addresses_are_not_masked(text: str) -> None:
    assert mask_secrets(text) == text


def test_a_saved_config_holds_no_secret(tmp_path: Path) -> None:
    assert PLANTED not in dump(Example(url=f"https://user:{PLANTED}@host"))


def test_an_error_and_the_result_file_hold_no_secret(tmp_path: Path) -> None:
    @click.command()
    @click.option("--out", type=click.Path(path_type=Path))
    @reported
    def command(out: Path) -> CommandResult | None:
        raise MedctxError(f"https://user:{PLANTED}@host does not answer.")

    result = CliRunner().invoke(command, ["--out", str(tmp_path), "--json"])
    assert result.exit_code == 2
    assert PLANTED not in result.output + (tmp_path / "result.json").read_text()


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o007])
def test_files_get_the_permissions_that_the_umask_allows(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "file.txt", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "file.txt").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("name", ["quick", "paper-ratio", "1_1 lora (2)", "\u75db\u98ce", "a.b", "_x"])
def test_names_are_taken_as_they_are(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "..", ".", "/abs", "a/b", "a\\b", "it's", 'say "x"', "a:b", "a\nb", " a", "a ", "-a", "x" * 200]
)
def test_names_that_are_paths_or_break_filters_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="the name"):
        check_name(name)
