"""Strict YAML configs: found by name or path, overridden key by key, saved resolved beside every result."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, cast, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from medctx.errors import MedctxError
from medctx.io.jsonl import describe, write_text


class _Yaml12(yaml.SafeLoader):
    """Scalars as YAML 1.2 reads them: PyYAML takes 1:1 for the number 61 and "no" for false."""


_Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge", ":value"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_SCALARS = (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("float", r"^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$", "-+."),
)
for _tag, _pattern, _first in _SCALARS:
    _Yaml12.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def parse_yaml(text: str, place: str) -> object:
    """One YAML document; raises MedctxError with the line where it is none."""
    try:
        return yaml.load(text, Loader=_Yaml12)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "unreadable"
        raise MedctxError(f"{place}{line} is not YAML ({problem}); mend it.") from None


class Config(BaseModel):
    """Base of every config: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


ConfigT = TypeVar("ConfigT", bound=Config)
ValueT = TypeVar("ValueT")


def find(name: str, folders: Sequence[Path]) -> Path:
    """The YAML file ``name`` means: a path, or the stem of a file in one of ``folders``."""
    path = Path(name)
    if path.suffix in {".yaml", ".yml"}:
        if path.is_file():
            return path
        raise MedctxError(f"The config {name} does not exist; give a path to a YAML file or a name.")
    known = {file.stem: file for folder in folders for file in sorted(folder.glob("*.yaml"))}
    if name in known:
        return known[name]
    raise MedctxError(f"There is no config {name!r}{_nearest(name, known)}; known are: {', '.join(sorted(known))}.")


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _models_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """The models a config may hold at ``location``, unions and containers looked through."""
    current: list[type[BaseModel]] = [model]
    for part in location:
        if isinstance(part, str) and any(part in one.model_fields for one in current):
            kinds: list[object] = [one.model_fields[part].annotation for one in current if part in one.model_fields]
            current = []
            while kinds:
                kind = kinds.pop()
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    current.append(kind)
                else:
                    kinds.extend(get_args(kind))
    return current


def explain(error: ValidationError, model: type[BaseModel], place: str) -> MedctxError:
    """One sentence for the first problem of a config, naming the nearest key where one is unknown."""
    found = error.errors()
    # A key that is misspelt is often missing too: the spelling is what to mend.
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    location = tuple(first["loc"])
    if first["type"] == "extra_forbidden":
        known = [field for one in _models_at(model, location[:-1]) for field in one.model_fields]
        key = str(location[-1])
        inside = ".".join(map(str, location[:-1]))
        where = f"{place} (under {inside})" if inside else place
        return MedctxError(
            f"Unknown key {key!r} in {where}{_nearest(key, known)}; known are: {', '.join(sorted(known))}."
        )
    if first["type"] == "missing":
        return MedctxError(f"{place} lacks the key {'.'.join(map(str, location))!r}; add it.")
    return MedctxError(f"{place}: {describe(error)} (given: {first['input']!r}); mend that key.")


def _apply(tree: dict[str, object], override: str) -> None:
    key, found, text = override.partition("=")
    if not found or not key:
        raise MedctxError(f"The override {override!r} is not key=value; write for example --set seed=1.")
    branch = tree
    *parents, leaf = key.split(".")
    for parent in parents:
        child = branch.setdefault(parent, {})
        if not isinstance(child, dict):
            raise MedctxError(f"The override {override!r} reaches into {parent!r}, which holds {child!r}, not keys.")
        branch = cast("dict[str, object]", child)
    branch[leaf] = parse_yaml(text, f"The override {override!r}")


def _pairs(override: str) -> list[str]:
    """The key=value pairs of one override: a new pair begins where a word is followed by an equals sign."""
    return [pair for pair in re.split(r"\s+(?=[A-Za-z_][\w.]*=)", override.strip()) if pair]


def deep_merge(below: Mapping[str, ValueT], above: Mapping[str, ValueT]) -> dict[str, ValueT]:
    """Return ``below`` with the keys of ``above``, nested sections too; a key that is null in ``above`` is removed."""
    merged = {key: value for key, value in below.items() if above.get(key, value) is not None}
    for key, value in above.items():
        if value is None:
            continue
        under = merged.get(key)
        both = isinstance(under, dict) and isinstance(value, dict)
        merged[key] = cast("ValueT", deep_merge(under, value)) if both else value  # type: ignore[arg-type]
    return merged


def _keys(path: Path) -> dict[str, object]:
    try:
        keys = parse_yaml(path.read_text(encoding="utf-8"), str(path)) or {}
    except OSError as error:
        raise MedctxError(f"The config {path} cannot be read ({error.strerror}); give a readable file.") from None
    if not isinstance(keys, dict):
        raise MedctxError(f"{path} holds a {type(keys).__name__}, not keys with values.")
    return keys


def _tree(path: Path | None, overrides: Sequence[str], overlays: Sequence[Path] = ()) -> tuple[dict[str, object], str]:
    """The keys of the files with the overrides applied, and what errors call their place."""
    files = [*([path] if path else []), *overlays]
    tree: dict[str, object] = {}
    for file in files:
        tree = deep_merge(tree, _keys(file))
    place = " with ".join(map(str, files)) or "the overrides"
    for override in overrides:
        for pair in _pairs(override):
            _apply(tree, pair)
    return tree, place


def _validated(kind: type[ConfigT], tree: dict[str, object], place: str) -> ConfigT:
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        raise explain(error, kind, place) from None


def load(
    kind: type[ConfigT], path: Path | None, overrides: Sequence[str] = (), overlays: Sequence[Path] = ()
) -> ConfigT:
    """Read ``path`` (None: the defaults), merge ``overlays`` into it, apply ``key=value`` overrides, validate.

    An override may hold several pairs separated by spaces: a launcher that passes one argument (MLflow) then
    reaches every key.
    """
    tree, place = _tree(path, overrides, overlays)
    return _validated(kind, tree, place)


def load_one_of(
    kinds: Mapping[str, type[ConfigT]], key: str, path: Path | None, overrides: Sequence[str] = ()
) -> ConfigT:
    """As :func:`load`, of the kind that the value of ``key`` names."""
    tree, place = _tree(path, overrides)
    name = str(tree.get(key, ""))
    if name not in kinds:
        problem = f"has the {key} {name!r}{_nearest(name, kinds)}" if name else f"lacks the key {key!r}"
        raise MedctxError(f"{place} {problem}; known are: {', '.join(kinds)}.")
    return _validated(kinds[name], tree, place)


def dump(config: BaseModel) -> str:
    """The resolved config as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def save(config: BaseModel, path: Path) -> None:
    """Write the resolved config atomically."""
    write_text(path, dump(config))
