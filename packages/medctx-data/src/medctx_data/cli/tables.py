"""Mixes and sources as tables a person reads."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from medctx.schemas.mix import MixManifest, Share
from medctx.schemas.records import Dialogue
from medctx_data.sources.card import SourceCard
from medctx_data.sources.describe import described

BAR = 40
EXAMPLES = 3
EXAMPLE_CHARS = 600


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _numbers(share: Share) -> tuple[str, ...]:
    return (
        _percent(share.asked),
        _percent(share.token_share),
        _percent(share.dialogue_share),
        f"{share.tokens:,}",
        f"{share.dialogues:,}",
    )


def shares(manifest: MixManifest) -> Table:
    """Asked and realised shares of domains and sources."""
    fixed = "" if manifest.fixed == "total" else f" of the {manifest.fixed} part"
    budget = "amounts" if manifest.budget is None else f"budget {manifest.budget:,} {manifest.by}{fixed}"
    table = Table(
        title=f"general:medical {manifest.ratio} by {manifest.by}, seed {manifest.seed}, {budget}: "
        f"{manifest.tokens:,} tokens in {manifest.dialogues:,} Dialogues"
    )
    table.add_column("")
    for name in ("asked", "by tokens", "by dialogues", "tokens", "dialogues", "epochs"):
        table.add_column(name, justify="right")
    table.add_column("dropped")
    for domain in manifest.domains:
        table.add_row(f"[bold]{domain.domain}[/]", *_numbers(domain), "", "")
        for source in manifest.sources:
            if source.domain == domain.domain:
                dropped = ", ".join(f"{reason} {count:,}" for reason, count in source.dropped.items())
                epochs = "endless" if source.epochs is None else f"{source.epochs:.3f}"
                table.add_row(f"  {source.label}", *_numbers(source), epochs, dropped)
    return table


def groups(manifest: MixManifest) -> Table | None:
    """Languages and schools of medicine within the domains; nothing where there is but one of each."""
    groups = (manifest.languages, manifest.subdomains)
    shown = [one for group in groups if len({each.name for each in group}) > 1 for one in group]
    if not shown:
        return None
    table = Table(title="languages and sub-domains, of their domain")
    table.add_column("")
    for name in ("by tokens", "by dialogues", "tokens", "dialogues"):
        table.add_column(name, justify="right")
    for one in shown:
        table.add_row(
            f"{one.domain} {one.name}",
            _percent(one.token_share),
            _percent(one.dialogue_share),
            f"{one.tokens:,}",
            f"{one.dialogues:,}",
        )
    return table


def drops(manifest: MixManifest) -> Table | None:
    """Rows left out, by source and reason; nothing where there are none."""
    reasons = sorted({reason for one in manifest.sources for reason in one.dropped})
    if not reasons:
        return None
    table = Table(title="rows left out (each is named in exclusions.jsonl)")
    for name in ("source", "usable rows", *reasons):
        table.add_column(name, justify="right" if name != "source" else "left")
    for one in manifest.sources:
        usable = "endless" if one.rows is None else f"{one.rows:,}"
        table.add_row(one.label, usable, *(f"{one.dropped.get(reason, 0):,}" for reason in reasons))
    return table


def lengths(manifest: MixManifest) -> Table:
    """The histogram of Dialogue lengths."""
    table = Table(title="length in tokens")
    for name in ("at most", "general", "medical"):
        table.add_column(name, justify="right")
    table.add_column("")
    most = max((one.general + one.medical for one in manifest.lengths), default=1)
    for one in manifest.lengths:
        general, medical = round(BAR * one.general / most), round(BAR * one.medical / most)
        bar = f"[blue]{'█' * general}[/][red]{'▒' * medical}[/]"
        table.add_row(f"{one.upto:,}", f"{one.general:,}", f"{one.medical:,}", bar)
    return table


def examples(dialogues: Iterable[Dialogue]) -> list[Dialogue]:
    """The first Dialogue of each source, filled up with the next ones, :data:`EXAMPLES` in all."""
    firsts: dict[str, Dialogue] = {}
    further: list[Dialogue] = []
    for dialogue in dialogues:
        if dialogue.source not in firsts:
            firsts[dialogue.source] = dialogue
        elif len(further) < EXAMPLES:
            further.append(dialogue)
    return [*firsts.values(), *further][:EXAMPLES]


def text_of(dialogue: Dialogue) -> str:
    """A Dialogue as text, long turns shortened in the middle."""
    lines = [f"--- {dialogue.id} ({dialogue.domain}, {dialogue.language}, {dialogue.licence or 'licence not stated'})"]
    for turn in dialogue.turns:
        content = turn.content
        if len(content) > EXAMPLE_CHARS:
            half = EXAMPLE_CHARS // 2
            content = f"{content[:half]} [... {len(content) - EXAMPLE_CHARS:,} characters ...] {content[-half:]}"
        lines.append(f"{turn.role}: {content}")
    return "\n".join(lines)


def sources(cards: Iterable[SourceCard]) -> Table:
    """One line for each source."""
    table = Table(title="sources")
    for name in ("name", "domain", "language", "form", "licence"):
        table.add_column(name)
    for card in cards:
        table.add_row(card.name, card.domain or "as stated", card.language or "as stated", card.form, card.licence)
    return table


def card(one: SourceCard) -> Table:
    """A card, one line for each thing known."""
    table = Table(title=one.name, show_header=False)
    for name, value in described(one):
        table.add_row(name, value)
    return table
