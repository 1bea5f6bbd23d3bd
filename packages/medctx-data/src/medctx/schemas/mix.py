"""The manifest of a mix, ``mix.json``: written by ``medctx-data mix``, read by training, the study and the report."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medctx.schemas.records import Domain, Record

MIX_FILE = "mix.json"
By = Literal["tokens", "loss-tokens", "examples"]
Order = Literal["mixed", "general-first", "medical-first"]
Fixed = Literal["total", "general", "medical"]
Format = Literal["jsonl", "parquet"]
Subdomain = Literal["", "traditional", "western"]


class Share(Record):
    """Requested and realised share of the whole mix.

    Attributes:
        asked: Requested fraction (0 to 1) in the unit of the mix.
        tokens: Realised tokens.
        dialogues: Realised Dialogues.
        token_share: Realised fraction of the tokens.
        dialogue_share: Realised fraction of the Dialogues.
        loss_tokens: Realised tokens that carry loss.
        loss_share: Realised fraction of the tokens that carry loss.
    """

    asked: float
    tokens: int
    dialogues: int
    token_share: float
    dialogue_share: float
    loss_tokens: int = 0
    loss_share: float = 0.0


class DomainShare(Share):
    """One domain of the mix; a Share and its ``domain``."""

    domain: Domain


class SourceShare(Share):
    """One source of the mix.

    Attributes:
        label: Label in the mix.
        source: Name of the source.
        domain: Domain.
        subdomain: School of medicine, ``""`` where none is named.
        budget: Budget in the unit of the mix.
        rows: Usable rows of its files, None for a generated source.
        epochs: Passes over these rows (0.12, 2.4), None for a generated source.
        dropped: Rows left out by reason: ``too_long`` among the rows reached, the others in the whole source.
        licence: Licence of the Dialogues used.
        restriction: What the licence forbids.
        citation: How to cite what was read.
        revision: Revision of what was read.
        identity: Digest of everything that the rows depend on.
        files: Names of the files that were read.
        notes: What was not read of rows or was cut (columns, message keys, turns), with the number of rows in the
            whole source.
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
    files: tuple[str, ...] = ()
    notes: dict[str, int] = Field(default_factory=dict)


class GroupShare(Record):
    """The realised fraction of a domain (0 to 1) in one language or one school of medicine."""

    domain: Domain
    name: str
    tokens: int
    dialogues: int
    token_share: float
    dialogue_share: float


class LengthBin(Record):
    """Number of Dialogues longer than half of ``upto`` tokens (first bin: any) and at most ``upto``, by domain."""

    upto: int
    general: int
    medical: int


class MixManifest(Record):
    """A finished mix in numbers.

    Attributes:
        medctx: Version of medctx.
        digest: Digest of the Dialogues in their order.
        request: Digest of everything the mix depends on (config, files, tokenizer, version): the same request is the
            same mix.
        seed: Seed of the orders.
        ratio: general:medical.
        by: Unit of ratio and budget.
        order: Order of the sources.
        fixed: What the budget limits.
        budget: Budget in the unit ``by``, None where sources have amounts.
        tokens: Tokens of all Dialogues.
        loss_tokens: Tokens that carry loss.
        dialogues: Number of Dialogues.
        wrapped: Requested fraction of Dialogues with a Book.
        format: File format.
        domains: Shares of the domains.
        sources: Shares of the sources.
        languages: Shares of languages within their domain.
        subdomains: Shares of schools of medicine within their domain.
        lengths: Histogram of lengths.
        files: SHA-256 of the files that hold the Dialogues, by name.
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
    loss_tokens: int = 0
    dialogues: int
    wrapped: float = 0.0
    format: Format = "jsonl"
    domains: tuple[DomainShare, ...]
    sources: tuple[SourceShare, ...]
    languages: tuple[GroupShare, ...] = ()
    subdomains: tuple[GroupShare, ...] = ()
    lengths: tuple[LengthBin, ...]
    files: dict[str, str] = Field(default_factory=dict)

    @property
    def general_share(self) -> float:
        """The realised general fraction of the tokens, in [0, 1]."""
        return next((share.token_share for share in self.domains if share.domain == "general"), 0.0)

    def _repr_markdown_(self) -> str:
        """One row per source, for notebooks."""
        lines = [
            f"{self.dialogues:,} Dialogues, {self.tokens:,} tokens, general : medical {self.ratio} by {self.by}",
            "",
            "| source | domain | Dialogues | tokens | asked % | realised % of tokens | licence |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for share in self.sources:
            label, licence = (text.replace("|", r"\|") for text in (share.label, share.licence))
            shares = f"{100 * share.asked:.1f} | {100 * share.token_share:.1f}"
            lines.append(
                f"| {label} | {share.domain} | {share.dialogues:,} | {share.tokens:,} | {shares} | {licence} |"
            )
        return "\n".join(lines)
