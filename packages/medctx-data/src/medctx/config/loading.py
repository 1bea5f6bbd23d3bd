"""Strict YAML configs: found by name or path, overridden by key, and saved resolved beside every result."""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, TypeVar, Union, cast, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from medctx.errors import MedctxError
from medctx.io.jsonl import describe, write_text
from medctx.io.masking import mask_secrets


class _Yaml12(yaml.SafeLoader):
    """YAML with the scalars of version 1.2, in which 1:1 and "no" are text, and without repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        """Refuse a key that occurs twice in a mapping."""
        keys: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in keys:
                    raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} twice", key.start_mark)
                keys.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        """Read a decimal number; a leading 0 means octal in YAML 1.1 and nothing in 1.2, so it is refused."""
        digits = node.value.lstrip("+-")
        if not digits.isdecimal() or (len(digits) > 1 and digits[0] == "0"):
            why = "a number must not begin with 0" if digits.isdecimal() else "no whole number"
            raise yaml.constructor.ConstructorError(None, None, f"{node.value!r}: {why}", node.start_mark)
        return int(node.value)


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
_Yaml12.add_constructor("tag:yaml.org,2002:int", _Yaml12.construct_integer)


def parse_yaml(text: str, place: str) -> object:
    """Parse one YAML document; an error names ``place`` and the line."""
    try:
        return yaml.load(text, Loader=_Yaml12)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise MedctxError(f"{place}{line} is not YAML ({problem}); mend it.") from None
    except RecursionError:
        raise MedctxError(f"{place} is nested too deeply; mend it.") from None
    except (ValueError, OverflowError) as error:  # a tag such as !!float with a value that is none
        raise MedctxError(f"{place} is not YAML ({error}); mend it.") from None


def _types_of(annotation: object) -> set[object]:
    """The types that an annotation allows at its top."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _types_of(get_args(annotation)[0])
    if origin in {Union, UnionType}:
        return set[object]().union(*map(_types_of, get_args(annotation)))
    return {annotation}


class Config(BaseModel):
    """Base of every config: immutable, unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, values: object) -> object:
        """Refuse ``true`` for a number, which pydantic takes for 1."""
        for name, value in values.items() if isinstance(values, Mapping) else ():
            if isinstance(value, bool) and name in cls.model_fields:
                types = _types_of(cls.model_fields[name].annotation)
                if types & {int, float} and bool not in types:
                    raise ValueError(f"{name}: {str(value).lower()} is no number")
        return values


ConfigT = TypeVar("ConfigT", bound=Config)
ValueT = TypeVar("ValueT")


def find(name: str, folders: Sequence[Path]) -> Path:
    """Return the YAML file with this name: a path, or the stem of a file in one of ``folders``."""
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
    """The models a config may hold at ``location``, through unions and containers."""
    models: list[type[BaseModel]] = [model]
    for part in location:
        if isinstance(part, str) and any(part in candidate.model_fields for candidate in models):
            annotations: list[object] = [
                candidate.model_fields[part].annotation for candidate in models if part in candidate.model_fields
            ]
            models = []
            while annotations:
                annotation = annotations.pop()
                if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                    models.append(annotation)
                else:
                    annotations.extend(get_args(annotation))
    return models


def explain(error: ValidationError, model: type[BaseModel], place: str) -> MedctxError:
    """Return one sentence for the first problem of a config; an unknown key comes with the nearest known one."""
    problems = error.errors()
    # A misspelt key is often missing too: the spelling is what to correct.
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    location = tuple(first["loc"])
    if first["type"] == "extra_forbidden":
        known = [field for section in _models_at(model, location[:-1]) for field in section.model_fields]
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
    key, separator, text = override.partition("=")
    if not separator or not key:
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
    """The key=value pairs of one override: a new pair begins at a word that an equals sign follows."""
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


def override_keys(overrides: Iterable[str]) -> set[str]:
    """Return the keys that ``key=value`` overrides set, dots included."""
    return {pair.partition("=")[0] for override in overrides for pair in _pairs(override)}


def _keys(path: Path) -> dict[str, object]:
    try:
        keys = parse_yaml(path.read_text(encoding="utf-8"), str(path)) or {}
    except OSError as error:
        raise MedctxError(f"The config {path} cannot be read ({error.strerror}); give a readable file.") from None
    except UnicodeDecodeError as error:
        raise MedctxError(f"The config {path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    if not isinstance(keys, dict):
        raise MedctxError(f"{path} holds a {type(keys).__name__}, not keys with values.")
    return keys


def _tree(path: Path | None, overrides: Sequence[str], overlays: Sequence[Path] = ()) -> tuple[dict[str, object], str]:
    """The keys of the files with the overrides applied, and the name of their place in errors."""
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
    """Load a config.

    Args:
        kind: The Config class.
        path: YAML file; None for the defaults of ``kind``.
        overrides: ``key=value`` pairs; dots reach into sections. One override may hold several pairs separated by
            spaces, so that a launcher that passes a single argument (MLflow) can set every key.
        overlays: Files that are merged into ``path``, section by section, before the overrides.

    Raises:
        MedctxError: The file is unreadable, or a key is unknown, missing or has a wrong value.
    """
    tree, place = _tree(path, overrides, overlays)
    return _validated(kind, tree, place)


def load_one_of(
    kinds: Mapping[str, type[ConfigT]], key: str, path: Path | None, overrides: Sequence[str] = ()
) -> ConfigT:
    """Load a config of the class that the value of ``key`` names; see ``load``."""
    tree, place = _tree(path, overrides)
    name = str(tree.get(key, ""))
    if name not in kinds:
        problem = f"has the {key} {name!r}{_nearest(name, kinds)}" if name else f"lacks the key {key!r}"
        raise MedctxError(f"{place} {problem}; known are: {', '.join(kinds)}.")
    return _validated(kinds[name], tree, place)


def dump(config: BaseModel) -> str:
    """Return the resolved config as YAML, with secrets in it masked."""
    return mask_secrets(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True))


def save(config: BaseModel, path: Path) -> None:
    """Write the resolved config atomically."""
    write_text(path, dump(config))
