"""Config of one source of a mix."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medctx.config.loading import Config
from medctx.config.names import OptionalName
from medctx.schemas.mix import Subdomain
from medctx.schemas.records import Domain
from medctx.tables.opening import SUFFIXES, stem_of, suffix_of
from medctx_data.sources.card import FILE, HUB, Form


class SourceConfig(Config):
    """One source of a mix."""

    source: str = Field(
        default="",
        description="Name of the source (medctx-data sources), file for files of one's own, hub for any data set of "
        "the hub; may be left out where path or dataset is given.",
    )
    path: Path | tuple[Path, ...] | None = Field(
        default=None,
        description="Local file, folder or pattern, or a list of them, read instead of published files: JSON lines, "
        "JSON, CSV, TSV, Parquet, Arrow, packed (.gz, .zst) or not; a folder may be a saved data set or a cloned "
        "repository of the hub.",
    )
    revision: str = Field(
        default="", description='Revision of the published files; "": the one that was fetched first.'
    )
    share: float = Field(
        default=1.0, gt=0, le=1e6, allow_inf_nan=False, description="Weight within its domain, language and sub-domain."
    )
    amount: Annotated[int, Field(ge=1)] | Literal["all"] | None = Field(
        default=None,
        description="How much of the source to take, in the unit of the mix; all: every usable row once. If any source "
        "has an amount, all need one, and the ratio follows from the amounts.",
    )
    domain: Domain | None = Field(
        default=None,
        description="Domain of a source whose card names none; null: from the name of the file or its folder.",
    )
    language: str = Field(default="", description='Use only rows that state this language; "": all rows.')
    subdomain: Subdomain = Field(default="", description="School of medicine of a source whose card names none.")
    name: OptionalName = Field(default="", description="Label in the mix; own files have their file's name.")
    dataset: str = Field(default="", description="Data set of the hub (owner/name); only with source: hub.")
    subset: str = Field(default="", description='Subset (configuration) of the data set; "": its only or default one.')
    split: str = Field(
        default="train", description="Split of a data set of the hub or of a folder; all: every file of a folder."
    )
    form: Form | None = Field(
        default=None,
        description="Form of the rows of one's own file or of a data set of the hub; null: detected from the columns.",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Column of each part of the form, as source cards name them (medctx-data sources show dolly); "
        "empty: detected.",
    )
    answer_base: Literal[0, 1] | None = Field(
        default=None,
        description="Number of the first option where answers are numbers; null: detected from all rows.",
    )
    reasoning: Literal["keep", "drop"] = Field(
        default="keep",
        description="Whether the reasoning of an answer (reasoning_content) is put before it in <think> tags.",
    )

    tool_turns: Literal["refuse", "keep"] = Field(
        default="refuse",
        description="Whether turns that call tools or hold their results are refused, or kept as text in <tool_call> "
        "and <tool_response> tags.",
    )

    @model_validator(mode="before")
    @classmethod
    def _plain_name(cls, value: object) -> object:
        if isinstance(value, str):
            value = {"path" if _is_path(value) else "source": value}
        if isinstance(value, Mapping):
            value = dict(value)
            named = value.get("source")
            if isinstance(named, str) and _is_path(named) and not value.get("path"):
                value |= {"source": FILE, "path": named}
            if not value.get("source") and (value.get("path") or value.get("dataset")):
                value["source"] = FILE if value.get("path") else HUB
        return value

    @model_validator(mode="after")
    def _names_a_data_set(self) -> Self:
        if not self.source:
            raise ValueError("a source needs a name (source), a file (path) or a data set of the hub (dataset)")
        if (self.source == HUB) != bool(self.dataset):
            raise ValueError(
                f"the source {self.source!r} has dataset={self.dataset!r}; give dataset (owner/name) with the source "
                f"{HUB}, and only then"
            )
        if (self.subset or self.split != "train") and self.source != HUB and not self.path:
            raise ValueError(f"subset and split belong to the source {HUB} or to a path, not to {self.source!r}")
        if self.columns and self.form is None:
            raise ValueError(f"columns without a form say nothing; add form ({', '.join(READ_FORMS)})")
        return self

    @property
    def paths(self) -> tuple[Path, ...]:
        """The local files, folders and patterns."""
        return self.path if isinstance(self.path, tuple) else (self.path,) if self.path else ()

    @property
    def label(self) -> str:
        """The name this source has in the mix."""
        in_path = _stem(self.paths[0]) if self.source == FILE and self.paths else ""
        return self.name or in_path or self.dataset.rpartition("/")[2] or self.source


READ_FORMS = ("pair", "alpaca", "chat", "completion", "alternating", "choice")


def _is_path(text: str) -> bool:
    """Whether a text is written as a path and not as the name of a source."""
    return bool(re.search(r"[/\\*?]", text)) or text.startswith(".") or suffix_of(Path(text)) in SUFFIXES


def _stem(path: Path) -> str:
    """A label from the name of a file, of a folder, or of the folder of a pattern."""
    name = next((part for part in reversed(path.parts) if not re.search(r"[*?\[]", part)), "files")
    return _as_name(stem_of(Path(name))) or "files"


def with_labels(sources: Sequence[SourceConfig]) -> tuple[SourceConfig, ...]:
    """Return sources whose own files have different labels: by their names, by those of their folders, by a number."""
    named = [source.label for source in sources if source.name or source.source != FILE]
    labels = [source.label for source in sources]
    labelled: list[SourceConfig] = []
    for source in sources:
        if source.source == FILE and not source.name and source.paths:
            label, folder = source.label, _as_name(source.paths[0].resolve().parent.name)
            repeated = labels.count(label) > 1 and folder
            taken = {*named, *(other.label for other in labelled)}
            label = f"{folder}-{label}" if repeated else label
            candidates = [label, *(f"{label}-{number}" for number in range(2, len(sources) + 2))]
            name = next(name for name in candidates if name not in taken)
            labelled.append(source.model_copy(update={"name": name}))
        else:
            labelled.append(source)
    return tuple(labelled)


def _as_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")
