"""Mixes and sources as tables a person reads."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from medctx.records import Dialogue
from medctx_data.manifest import MixManifest, Share
from medctx_data.sources.card import FORMS, SourceCard

WIDTH = 120
BAR = 40
EXAMPLES = 3
EXAMPLE_CHARS = 600


def console() -> Console:
    """Standard output, at a fixed width where it is no terminal, so that redirected tables are not squeezed."""
    screen = Console(highlight=False)
    return screen if screen.is_terminal else Console(highlight=False, width=WIDTH)


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
    table = Table(
        title=f"general:medical {manifest.ratio} by {manifest.by}, seed {manifest.seed}, "
        f"budget {manifest.budget:,} {manifest.by}: {manifest.tokens:,} tokens in {manifest.dialogues:,} Dialogues"
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
    pool = list(dialogues)
    firsts = list({dialogue.source: dialogue for dialogue in reversed(pool)}.values())
    chosen = firsts[:EXAMPLES]
    return (chosen + [dialogue for dialogue in pool if dialogue not in chosen])[:EXAMPLES]


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
    for name, value in one.model_dump().items():
        if value and name != "name":
            table.add_row(name, FORMS[one.form] if name == "form" else str(value))
    return table
