"""What a person asks of a mix: which sources, in which ratio, up to which budget."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from medctx.config import Config
from medctx.curriculum import CurriculumConfig
from medctx.records import Domain

DOMAINS: tuple[Domain, Domain] = ("general", "medical")

By = Literal["tokens", "examples"]
Order = Literal["mixed", "general-first", "medical-first"]

_RATIO = re.compile(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)")


def parse_ratio(text: str) -> tuple[Fraction, Fraction]:
    """The (general, medical) shares of ``text``, which sum to 1. Raises ValueError where it is no ratio."""
    match = _RATIO.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"the ratio {text!r} is not general:medical; write for example 1:1, 9:1 or 0:1")
    general, medical = Fraction(match[1]), Fraction(match[2])
    if not general + medical:
        raise ValueError(f"the ratio {text!r} sums to nothing; at least one side must be above 0")
    return general / (general + medical), medical / (general + medical)


class SourceConfig(Config):
    """One source of a mix. A plain name stands for ``{source: name}``.

    ``path``: the local file of a source that is read. ``share``: weight within its domain, above 0. ``domain``: only
    for ``jsonl``, which has none of its own. ``name``: what to call it where one source stands twice.
    """

    source: str
    path: Path | None = None
    share: float = Field(default=1.0, gt=0, le=1e6, allow_inf_nan=False)
    domain: Domain | None = None
    name: str = ""

    @model_validator(mode="before")
    @classmethod
    def _plain_name(cls, value: object) -> object:
        return {"source": value} if isinstance(value, str) else value

    @property
    def label(self) -> str:
        """The name this source has in the mix."""
        return self.name or self.source


class MixConfig(Config):
    """A controlled mixture.

    ``ratio`` is general:medical, in tokens or examples as ``by`` says; ``tokens`` or ``examples`` is the whole budget
    (the other one is ignored). ``max_tokens``: Dialogues longer than this are dropped, never cut. ``tokenizer``: the
    model folder whose chat template and tokenizer every count is made with. ``order``: ``mixed`` spreads the sources
    evenly; ``general-first`` and ``medical-first`` put one domain wholly before the other.
    """

    seed: int = 0
    tokenizer: Path | None = None
    ratio: str = "1:1"
    by: By = "tokens"
    tokens: int = Field(default=40_000, ge=1)
    examples: int = Field(default=400, ge=1)
    max_tokens: int = Field(default=2_048, ge=1)
    sources: tuple[SourceConfig, ...] = (SourceConfig(source="everyday"), SourceConfig(source="hpo"))
    curriculum: CurriculumConfig = CurriculumConfig.model_validate({})
    repeat: bool = True
    order: Order = "mixed"

    @field_validator("ratio")
    @classmethod
    def _is_a_ratio(cls, value: str) -> str:
        parse_ratio(value)
        return value.strip()

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        labels = [source.label for source in self.sources]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"two sources are called {twice[0]!r}; give one of them another key name")
        return self

    @property
    def budget(self) -> int:
        """The whole budget, in the unit ``by`` names."""
        return self.tokens if self.by == "tokens" else self.examples
