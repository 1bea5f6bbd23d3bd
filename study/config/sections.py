"""The sections a study hands to the commands: with its paths filled in, and the digests of the files they name."""

from __future__ import annotations

import re
from functools import cache
from glob import glob
from pathlib import Path
from typing import Literal, cast

from pydantic import JsonValue

from medctx.config.loading import deep_merge
from medctx.io import digest
from study.config.study import Section, StudyConfig

SectionName = Literal["mix", "train", "exam", "report", "confirmation", "source_sets"]
PATH_KEYS = frozenset({"path", "items", "passages", "mix", "start_adapter", "adapter", "adapters", "tuned"})
"""Keys under which commands are given the user's files and folders."""
NAME_KEYS = frozenset({"source", "sources", "exam", "exams", "chat_template"})
"""Keys under which commands are given the name of a source, an exam or a template, or a path."""
_PATTERN = re.compile(r"[*?\[]")


def with_data(value: JsonValue, data: Path | None) -> JsonValue:
    """The value with the study's data folder in place of ``${data}`` in each of its texts."""
    if isinstance(value, str):
        return value.replace("${data}", str(data)) if data is not None else value
    if isinstance(value, list):
        return [with_data(item, data) for item in value]
    if isinstance(value, dict):
        return {key: with_data(item, data) for key, item in value.items()}
    return value


def section(config: StudyConfig, name: SectionName, entry: str = "") -> Section:
    """A section (or an ``entry`` of it) with its paths and, where facts are used, its curriculum filled in."""
    value = getattr(config, name)
    filled = cast("Section", with_data(cast("JsonValue", value[entry] if entry else value), config.data))
    if name in {"mix", "exam"}:
        filled["curriculum"] = config.curriculum.model_dump(mode="json")
    if config.chat_template and name in {"mix", "train", "exam"}:
        filled.setdefault("chat_template", config.chat_template)
    return filled


def confirmation_exam(config: StudyConfig) -> Section | None:
    """The exam of selected cells on items that selected none of them; None where there is none."""
    if not config.confirmation:
        return None
    return deep_merge(section(config, "exam"), section(config, "confirmation"))


def recipe(config: StudyConfig, method: str) -> Section:
    """The config of ``medctx-train sft`` for a method: ``train`` with the method's recipe merged into it."""
    train = section(config, "train")
    return deep_merge(train, config.recipes.get(method, {"method": method})) if method else train


def mix_settings(config: StudyConfig, sources: str) -> Section:
    """The config of ``medctx-data mix`` for a set of sources: ``mix`` with the set merged into it."""
    mix = section(config, "mix")
    return deep_merge(mix, section(config, "source_sets", sources)) if sources else mix


def _files(text: str, *, named: bool) -> list[Path]:
    """The files and folders a text stands for, those of a pattern sorted.

    ``named``: it may also be the name of a source or exam, so a path has a separator, a suffix or a pattern.
    """
    path = Path(text)
    if named and not (re.search(r"[/\\*?]", text) or path.suffix):
        return []
    if path.exists():
        return [path]
    return [Path(match) for match in sorted(glob(text, recursive=True))] if _PATTERN.search(text) else []


@cache
def _digest_at(path: Path, stamp: tuple[tuple[str, int, int], ...]) -> str:
    return digest.of_folder(path) if path.is_dir() else digest.of_file(path)


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, sizes and times of a file, or of the files of a folder: where these are equal, the digest is too."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return tuple((str(file), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files)


def file_digests(value: JsonValue, key: str = "") -> list[str]:
    """Digests of the files and folders that a section names and that exist: their contents count, not their paths.

    Args:
        value: A section, or a value in it.
        key: The key that the value has in its section.
    """
    if isinstance(value, dict):
        return [entry for name, item in value.items() for entry in file_digests(item, name)]
    if isinstance(value, list):
        return [entry for item in value for entry in file_digests(item, key)]
    if not isinstance(value, str) or not value or key not in PATH_KEYS | NAME_KEYS:
        return []
    return [_digest_at(path, _stamp(path)) for path in _files(value, named=key in NAME_KEYS)]
