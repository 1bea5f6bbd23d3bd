"""The files that a path stands for: a file, a pattern, a folder, a saved data set, or a cloned hub repository."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from medctx.errors import MedctxError
from medctx.tables.opening import FORMATS, PACKED, SUFFIXES, suffix_of

ALL = "all"
"""The split that stands for every file."""
_SPLITS = {
    "train": frozenset({"train", "training"}),
    "test": frozenset({"test", "tests", "eval", "evaluation", "holdout"}),
    "validation": frozenset({"validation", "valid", "val", "dev"}),
}
_NOT_ROWS = frozenset({"dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json", "config.json"})
_GLOB = re.compile(r"[*?\[]")


class Located(NamedTuple):
    """The files to read.

    Attributes:
        paths: The files in their order.
        left_out: Files beside them that are not read, because they belong to another split.
        layout: What the path is, ``""`` for plain files: a saved data set, or a repository with a card.
    """

    paths: tuple[Path, ...]
    left_out: tuple[Path, ...] = ()
    layout: str = ""


def split_of(name: str) -> str:
    """Return the split that a name states (train, test, validation), ``""`` where it states none."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    return next((split for split, names in _SPLITS.items() if not names.isdisjoint(words)), "")


def canonical_split(split: str) -> str:
    """Return the usual name of a split: train, test, validation, or the name itself."""
    return next((name for name, aliases in _SPLITS.items() if split in aliases), split)


def _split_within(path: Path, folder: Path) -> str:
    """The split of a file by its own name, else by that of the nearest folder."""
    parts = [path.name.partition(".")[0], *reversed(path.relative_to(folder).parts[:-1])]
    return next(filter(None, map(split_of, parts)), "")


def _is_rows(path: Path) -> bool:
    suffix = suffix_of(path)
    if path.suffix.lower() in PACKED and FORMATS.get(suffix) in {"Parquet", "Arrow"}:
        return False
    return suffix in FORMATS and path.is_file() and path.name not in _NOT_ROWS


def _visible(files: Iterable[Path], folder: Path) -> list[Path]:
    return sorted(
        path for path in files if not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )


def _choose(folder: Path, files: Sequence[Path], split: str) -> Located:
    """The files of a split among ``files``; files without one in their name count as train."""
    if split == ALL:
        return Located(tuple(files))
    name_of_split = canonical_split(split)
    chosen = [path for path in files if (_split_within(path, folder) or "train") == name_of_split]
    if not chosen and name_of_split not in _SPLITS:
        chosen = [path for path in files if name_of_split in re.split(r"[^\w]+", str(path.relative_to(folder)).lower())]
    if not chosen:
        names = ", ".join(sorted({_split_within(path, folder) or "train" for path in files}))
        raise MedctxError(f"The folder {folder} holds no split {split!r} but {names}; name one with the key split.")
    return Located(tuple(chosen), tuple(path for path in files if path not in chosen))


def _saved(folder: Path) -> tuple[Path, ...]:
    """The files of one split written by ``save_to_disk``."""
    try:
        state = json.loads((folder / "state.json").read_bytes())
        names = [file["filename"] for file in state["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return tuple(sorted(folder.glob("*.arrow")))
    return tuple(folder / name for name in names)


def _saved_splits(folder: Path, split: str) -> Located:
    try:
        names = list(json.loads((folder / "dataset_dict.json").read_bytes())["splits"])
    except (ValueError, KeyError, TypeError):
        raise MedctxError(f"{folder / 'dataset_dict.json'} names no splits; save the data set again.") from None
    files = {name: _saved(folder / name) for name in names}
    chosen = names if split == ALL else [name for name in names if canonical_split(name) == canonical_split(split)]
    if not chosen:
        raise MedctxError(
            f"The data set {folder} has no split {split!r} but {', '.join(names)}; name one with the key split."
        )
    left_out = [path for name in names if name not in chosen for path in files[name]]
    return Located(tuple(path for name in chosen for path in files[name]), tuple(left_out), "a saved data set")


def _card_configs(folder: Path) -> list[dict[str, object]]:
    """The subsets that the front matter of a repository's README names."""
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    match = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    try:
        front = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError:
        return []
    configs = front.get("configs") if isinstance(front, dict) else None
    return [config for config in configs if isinstance(config, dict)] if isinstance(configs, list) else []


def _patterns(config: dict[str, object], split: str) -> tuple[list[str], list[str], list[str]]:
    """Return the file patterns of a subset's split, those of its other splits, and the names of all its splits."""
    stated = config.get("data_files")
    if isinstance(stated, dict) and "path" not in stated:
        stated = [{"split": name, "path": path} for name, path in stated.items()]
    entries = stated if isinstance(stated, list) else [stated]
    chosen: list[str] = []
    others: list[str] = []
    splits: list[str] = []
    for entry in entries:
        name = str(entry.get("split", "train")) if isinstance(entry, dict) else "train"
        paths = entry.get("path") if isinstance(entry, dict) else entry
        splits.append(name)
        to = chosen if split == ALL or canonical_split(name) == canonical_split(split) else others
        to += [str(path) for path in (paths if isinstance(paths, list) else [paths]) if path]
    return chosen, others, splits


def _globbed(folder: Path, patterns: Iterable[str]) -> set[Path]:
    """The files of rows that patterns of a repository's README match in its folder."""
    files: set[Path] = set()
    for pattern in patterns:
        try:
            if ".." in Path(pattern).parts:
                raise ValueError
            files.update(path for path in folder.glob(pattern) if _is_rows(path))
        except (ValueError, NotImplementedError):
            raise MedctxError(
                f"{folder / 'README.md'} names its files by {pattern!r}, which is no pattern within the folder; "
                "correct it there, or give the path of the files."
            ) from None
    return files


def _of_card(folder: Path, configs: list[dict[str, object]], split: str, subset: str) -> Located | None:
    names = [str(config.get("config_name", "default")) for config in configs]
    default = [config for config in configs if config.get("default") or config.get("config_name") == "default"]
    chosen = [config for config, name in zip(configs, names, strict=True) if name == subset] if subset else default
    chosen = chosen or (configs if len(configs) == 1 and not subset else [])
    if not chosen:
        what = f"has no subset {subset!r}" if subset else "has several subsets"
        raise MedctxError(f"The repository {folder} {what} ({', '.join(names)}); name one with the key subset.")
    if not chosen[0].get("data_files"):
        return None
    patterns, others, splits = _patterns(chosen[0], split)
    files = tuple(_visible(_globbed(folder, patterns), folder))
    if not files:
        raise MedctxError(
            f"The repository {folder} has no file of the split {split!r} in its subset "
            f"{chosen[0].get('config_name', 'default')} (splits: {', '.join(splits)}); name one with the key split."
        )
    beside = _visible((path for path in folder.rglob("*") if _is_rows(path)), folder)
    left_out = _globbed(folder, others).union(beside) - set(files)
    return Located(files, tuple(sorted(left_out)), "a repository with a card")


def _folder(folder: Path, split: str, subset: str) -> Located:
    if (folder / "dataset_dict.json").is_file():
        return _saved_splits(folder, split)
    if (folder / "state.json").is_file() and any(folder.glob("*.arrow")):
        return Located(_saved(folder), layout="a saved data set")
    if configs := _card_configs(folder):
        located = _of_card(folder, configs, split, subset)
        if located:
            return located
    within = folder / subset if subset else folder
    if not within.is_dir():
        raise MedctxError(f"The folder {folder} has no folder {subset!r}; correct the key subset.")
    files = _visible((path for path in within.rglob("*") if _is_rows(path)), within)
    if not files:
        raise MedctxError(f"The folder {within} holds no file that ends in {', '.join(SUFFIXES)}; give another path.")
    return _choose(within, files, split)


def is_pattern(path: Path) -> bool:
    """Return whether a path is a pattern with ``*``, ``?`` or ``[``, and not a file of that name."""
    return bool(_GLOB.search(str(path))) and not path.exists()


def matches(path: Path) -> tuple[Path, ...]:
    """Return what a pattern matches, in order; a path that is no pattern is its only match."""
    return tuple(Path(name) for name in sorted(glob.glob(str(path), recursive=True))) if is_pattern(path) else (path,)


def _located(path: Path, split: str, subset: str) -> Located:
    if path.is_dir():
        return _folder(path, split, subset)
    if not is_pattern(path):
        return Located((path,))
    matched = matches(path)
    if not matched:
        raise MedctxError(f"The pattern {path} matches no file; correct it.")
    parts = [_folder(match, split, subset) for match in matched if match.is_dir()]
    files = [match for match in matched if _is_rows(match)]
    if not files and not parts:
        raise MedctxError(f"The pattern {path} matches no file that ends in {', '.join(SUFFIXES)}; correct it.")
    return Located(
        (*files, *(file for part in parts for file in part.paths)),
        tuple(file for part in parts for file in part.left_out),
    )


def locate(paths: Sequence[Path], split: str = "train", subset: str = "") -> Located:
    """Return the files that paths stand for.

    Args:
        paths: Files, folders or patterns.
        split: Split of folders that have several: by the names of files and folders, by the card of a cloned
            repository, or by what ``save_to_disk`` wrote; ``all`` for every file.
        subset: Subset (configuration) of a repository, or the name of a folder in it.

    Raises:
        MedctxError: A path does not exist or holds no file of a known format.
    """
    parts = []
    for path in paths:
        if not path.exists() and not is_pattern(path):
            raise MedctxError(f"The path {path} does not exist; correct it.")
        parts.append(_located(path, split, subset))
    files = tuple(dict.fromkeys(file for part in parts for file in part.paths))
    left_out = tuple(dict.fromkeys(file for part in parts for file in part.left_out if file not in files))
    return Located(files, left_out, next((part.layout for part in parts if part.layout), ""))
