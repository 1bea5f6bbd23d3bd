"""The manifest of a mix, ``mix.json``: written by ``medctx-data mix``, read by training, the study and the report."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medctx.schemas.records import Domain, Record

MIX_FILE = "mix.json"
By = Literal["tokens", "examples"]
Order = Literal["mixed", "general-first", "medical-first"]
Fixed = Literal["total", "general", "medical"]
Format = Literal["jsonl", "parquet"]
Subdomain = Literal["", "traditional", "western"]


class Share(Record):
    """Asked and realised: shares are fractions of the whole mix (0 to 1); ``asked`` in the unit the mix goes ``by``."""

    asked: float
    tokens: int
    dialogues: int
    token_share: float
    dialogue_share: float


class DomainShare(Share):
    """One domain of the mix."""

    domain: Domain


class SourceShare(Share):
    """One source of the mix.

    ``budget``: in the unit of the mix. ``rows``: usable rows of its files and ``epochs`` passes over them (0.12, 2.4),
    None for a generator. ``dropped``: rows left out by reason; ``too_long`` among the rows reached, the others in the
    whole source. ``licence``: of the Dialogues used. ``revision`` and ``identity``: of what was read.
    """

    label: str
    source: str
    domain: Domain
    subdomain: Subdomain = ""
    budget: int
    rows: int | None = None
    epochs: float | None
    dropped: dict[str, int] = Field(default_factory=dict)
    licence: str
    restriction: str
    citation: str
    revision: str = ""
    identity: str = ""


class GroupShare(Record):
    """The realised part of a domain (0 to 1) in one language or one school of medicine."""

    domain: Domain
    name: str
    tokens: int
    dialogues: int
    token_share: float
    dialogue_share: float


class LengthBin(Record):
    """Dialogues longer than half of ``upto`` tokens (the first bin: any) and at most ``upto``, by domain."""

    upto: int
    general: int
    medical: int


class MixManifest(Record):
    """A finished mix in numbers.

    ``digest``: of the Dialogues in their order. ``request``: of everything the mix follows from (config, files,
    tokenizer, version of medctx): the same request is the same mix. ``budget`` in the unit of ``by``, of the part that
    is ``fixed``; None where sources have amounts. ``wrapped``: the requested fraction of Dialogues with a Book.
    """

    medctx: str
    digest: str
    request: str
    seed: int
    ratio: str
    by: By
    order: Order
    fixed: Fixed = "total"
    budget: int | None
    tokens: int
    dialogues: int
    wrapped: float = 0.0
    format: Format = "jsonl"
    domains: tuple[DomainShare, ...]
    sources: tuple[SourceShare, ...]
    languages: tuple[GroupShare, ...] = ()
    subdomains: tuple[GroupShare, ...] = ()
    lengths: tuple[LengthBin, ...]

    @property
    def general_share(self) -> float:
        """The realised general fraction of the tokens, in [0, 1]."""
        return next((share.token_share for share in self.domains if share.domain == "general"), 0.0)
