"""Mixes and sources as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from medctx.fetch.pinned import RECORD, Recorded, Remote
from medctx.io.cache import cache_folder
from medctx.io.journal import read_journal
from medctx.schemas.mix import MixManifest, Share
from medctx.schemas.records import Dialogue
from medctx_data.sources.card import FORMS, SourceCard

BAR = 40
EXAMPLES = 3
EXAMPLE_CHARS = 600


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _numbers(share: Share) -> tuple[str, ...]:
    return (
        _percent(share.asked),
        _percent(share.token_share),
        _percent(share.loss_share),
        _percent(share.dialogue_share),
        f"{share.tokens:,}",
        f"{share.dialogues:,}",
    )


def shares(manifest: MixManifest) -> Table:
    """Table of requested and realised shares of domains and sources."""
    fixed = "" if manifest.fixed == "total" else f" of the {manifest.fixed} part"
    budget = "amounts" if manifest.budget is None else f"budget {manifest.budget:,} {manifest.by}{fixed}"
    table = Table(
        title=f"general:medical {manifest.ratio} by {manifest.by}, seed {manifest.seed}, {budget}: "
        f"{manifest.tokens:,} tokens in {manifest.dialogues:,} Dialogues"
    )
    table.add_column("")
    for name in ("requested", "by tokens", "by loss", "by dialogues", "tokens", "dialogues", "epochs"):
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
    """Table of languages and schools of medicine within the domains; None where there is only one of each."""
    groups = (manifest.languages, manifest.subdomains)
    rows = [row for group in groups if len({row.name for row in group}) > 1 for row in group]
    if not rows:
        return None
    table = Table(title="languages and sub-domains, of their domain")
    table.add_column("")
    for name in ("by tokens", "by dialogues", "tokens", "dialogues"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            f"{row.domain} {row.name}",
            _percent(row.token_share),
            _percent(row.dialogue_share),
            f"{row.tokens:,}",
            f"{row.dialogues:,}",
        )
    return table


def notes(manifest: MixManifest) -> Table | None:
    """Table of what was not read of rows or was cut, by source; None where everything was read."""
    if not any(source.notes for source in manifest.sources):
        return None
    table = Table(title="not read of the rows, or cut")
    for name in ("source", "what", "rows"):
        table.add_column(name, justify="right" if name == "rows" else "left")
    for source in manifest.sources:
        for note, rows in source.notes.items():
            table.add_row(source.label, note, f"{rows:,}")
    return table


def drops(manifest: MixManifest) -> Table | None:
    """Table of rows left out, by source and reason; None where there are none."""
    reasons = sorted({reason for source in manifest.sources for reason in source.dropped})
    if not reasons:
        return None
    table = Table(title="rows left out (each is named in exclusions.jsonl)")
    for name in ("source", "usable rows", *reasons):
        table.add_column(name, justify="right" if name != "source" else "left")
    for source in manifest.sources:
        usable = "endless" if source.rows is None else f"{source.rows:,}"
        table.add_row(source.label, usable, *(f"{source.dropped.get(reason, 0):,}" for reason in reasons))
    return table


def lengths(manifest: MixManifest) -> Table:
    """Histogram of Dialogue lengths."""
    table = Table(title="length in tokens")
    for name in ("at most", "general", "medical"):
        table.add_column(name, justify="right")
    table.add_column("")
    most = max((row.general + row.medical for row in manifest.lengths), default=1)
    for row in manifest.lengths:
        general, medical = round(BAR * row.general / most), round(BAR * row.medical / most)
        bar = f"[blue]{'█' * general}[/][red]{'▒' * medical}[/]"
        table.add_row(f"{row.upto:,}", f"{row.general:,}", f"{row.medical:,}", bar)
    return table


def examples(dialogues: Iterable[Dialogue]) -> list[Dialogue]:
    """Return ``EXAMPLES`` Dialogues: the first of each source, then the next ones."""
    firsts: dict[str, Dialogue] = {}
    further: list[Dialogue] = []
    for dialogue in dialogues:
        if dialogue.source not in firsts:
            firsts[dialogue.source] = dialogue
        elif len(further) < EXAMPLES:
            further.append(dialogue)
    return [*firsts.values(), *further][:EXAMPLES]


def shortened_text(dialogue: Dialogue) -> str:
    """Return a Dialogue as text, long turns shortened in the middle."""
    lines = [f"--- {dialogue.id} ({dialogue.domain}, {dialogue.language}, {dialogue.licence or 'licence not stated'})"]
    for turn in dialogue.turns:
        content = turn.content
        if len(content) > EXAMPLE_CHARS:
            half = EXAMPLE_CHARS // 2
            content = f"{content[:half]} [... {len(content) - EXAMPLE_CHARS:,} characters ...] {content[-half:]}"
        lines.append(f"{turn.role}: {content}")
    return "\n".join(lines)


def source_table(cards: Iterable[SourceCard]) -> Table:
    """Table with one row per source."""
    table = Table(title="sources")
    for name in ("name", "domain", "language", "form", "licence"):
        table.add_column(name)
    for card in cards:
        table.add_row(card.name, card.domain or "as stated", card.language or "as stated", card.form, card.licence)
    return table


def recorded(remotes: tuple[Remote, ...]) -> list[Recorded]:
    """Return what the first download of each of these files recorded.

    A file of a data set may have been requested at the commit of its sibling instead of the card's revision.
    """
    record = cache_folder() / RECORD
    if not remotes or not record.is_file():
        return []
    lines = list(read_journal(record, Recorded))
    revisions = {line.revision for line in lines if line.remote == remotes[0]} | {""}
    matching = []
    for remote in remotes:
        candidates = [remote, *(remote.model_copy(update={"revision": revision}) for revision in revisions)]
        matching += [line for line in lines if line.remote in candidates][:1]
    return matching


def _revision(card: SourceCard) -> str:
    if not card.files:
        return ""
    lines = recorded(card.files)
    if not lines:
        return "none recorded: the newest one is fetched and kept from then on"
    names = ", ".join(dict.fromkeys(line.revision or f"digest {line.digest}" for line in lines))
    return f"{names} (recorded on {lines[0].date[:10]})"


def described(card: SourceCard) -> list[tuple[str, str]]:
    """Return names and values of everything known about a source."""
    rows = (
        ("domain", card.domain or "as the config states"),
        ("sub-domain", card.subdomain),
        ("language", card.language or "as each row states or is written"),
        ("licence", card.licence),
        ("restriction", card.restriction),
        ("citation", card.citation),
        ("published", card.published),
        ("data set", card.hub),
        ("files", "\n".join(remote.file or remote.place for remote in card.files)),
        ("revision", _revision(card)),
        ("form", FORMS[card.form]),
        ("columns", "\n".join(f"{part}: {column!r}" for part, column in card.columns.items())),
        ("held out", f"rows whose id is listed in {card.held_out.place}" if card.held_out else ""),
        ("unconfirmed", card.unconfirmed),
    )
    return [(name, value) for name, value in rows if value]


def card_table(source: SourceCard) -> Table:
    """Table of a card, one row per property."""
    table = Table(title=source.name, show_header=False)
    for name, value in described(source):
        table.add_row(name, value)
    return table
