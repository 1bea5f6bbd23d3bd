"""What a person asks of a mix: which sources, in which ratio, up to which budget."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from medctx.config.loading import Config
from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.mix import By, Fixed, Format, Order
from medctx.schemas.records import Domain
from medctx_data.long_context.wrap import WrapConfig
from medctx_data.sources.config import SourceConfig

DOMAINS: tuple[Domain, Domain] = ("general", "medical")


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


class CleanConfig(Config):
    """What is left out beside rows that say nothing and rows that are equal.

    ``malformed``: whether a row that is no Dialogue stops the mix, or is left out and counted. ``language``: leave out
    rows that are not in the script of the language they state. ``duplicates``: equal rows are looked for within each
    ``source``, or through all sources of the ``mix`` in the order they stand in (those without a share too).
    ``near_duplicates``: the Jaccard similarity of shingles from which rows count as repeated, looked for as far as
    ``duplicates`` says; None: not looked for. ``same_question``: only where their questions are as alike too: answers
    of one template about two diseases are two facts, and without this one of them is left out.
    """

    malformed: Literal["refuse", "drop"] = "refuse"
    language: bool = False
    duplicates: Literal["source", "mix"] = "source"
    near_duplicates: float | None = Field(default=None, ge=0.5, le=1)
    same_question: bool = True


Weight = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class MixConfig(Config):
    """A controlled mixture.

    ``ratio`` is general:medical, in tokens or examples as ``by`` says; ``tokens`` or ``examples`` is the budget (the
    other one is ignored) of the whole, or of the part that is ``fixed``: the other part then follows from the ratio.
    ``languages`` and ``subdomains`` are weights: each domain is split over its languages, the medical one further over
    traditional and western medicine, before sources share what falls to them. ``max_tokens``: Dialogues longer than
    this are dropped, never cut. ``tokenizer``: the model folder whose chat template and tokenizer every count is made
    with. ``order``: ``mixed`` spreads the sources evenly; ``general-first`` and ``medical-first`` are staged, one
    domain wholly before the other. ``repeat``: whether a source that is too small is gone through again. ``clean`` and
    ``wrap`` say what is left out and what is given a Book; ``format`` how the Dialogues are written; ``processes`` how
    many work on large sources, 0 for one on each core.
    """

    seed: int = 0
    tokenizer: Path | None = None
    ratio: str = "1:1"
    by: By = "tokens"
    fixed: Fixed = "total"
    tokens: int = Field(default=40_000, ge=1)
    examples: int = Field(default=400, ge=1)
    max_tokens: int = Field(default=2_048, ge=1)
    sources: tuple[SourceConfig, ...] = (SourceConfig(source="everyday"), SourceConfig(source="phenotypes"))
    languages: dict[str, Weight] = Field(default_factory=dict)
    subdomains: dict[Literal["traditional", "western"], Weight] = Field(default_factory=dict)
    curriculum: CurriculumConfig = CurriculumConfig.model_validate({})
    clean: CleanConfig = CleanConfig()
    wrap: WrapConfig = WrapConfig()
    repeat: bool = True
    order: Order = "mixed"
    format: Format = "jsonl"
    processes: int = Field(default=0, ge=0, le=1024)

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
