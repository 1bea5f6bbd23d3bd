"""The verb ``account`` of the console command ``medctx-data``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from medctx.config import loading as configs
from medctx.config.command_result import output_console, reported
from medctx.errors import MedctxError
from medctx.io.jsonl import write_record
from medctx.io.mix_folder import read_dialogues
from medctx.process.progress import track
from medctx.schemas.records import Dialogue
from medctx.schemas.result import CommandResult, Output
from medctx.text import tokenizer as tokenizers
from medctx_data.mix_folder import write as folder
from medctx_data.mixture.config import MixConfig
from medctx_data.truncation.measure import measure
from medctx_data.truncation.report import MAXIMUMS, SourceAccount, TruncationReport, account

FILE = "truncation.json"
LENGTH = click.IntRange(min=1)


def _tokenizer(mixed: Path, named: Path | None) -> Path:
    """The tokenizer that was named, else the one the mix was counted with."""
    if named is not None:
        return named
    counted_with = configs.load(MixConfig, mixed / folder.CONFIG, ()).tokenizer
    if counted_with is None:
        raise MedctxError(f"{mixed / folder.CONFIG} names no tokenizer; give a model folder with --tokenizer.")
    return counted_with


def _share(part: int, whole: int) -> str:
    return f"{part:,} {100 * part / whole:.1f} %" if part else "0"


def table(sources: tuple[SourceAccount, ...]) -> Table:
    """One line for each source and maximum."""
    shown = Table(title="what a maximum length loses: tokens where Dialogues are cut or dropped, evidence where cut")
    names = ("source", "Dialogues", "tokens", "at most", "longer", "cut off", "dropped", "evidence: end", "start")
    for name in names:
        shown.add_column(name, justify="left" if name == "source" else "right")
    for one in sources:
        whose = (one.source, f"{one.dialogues:,}", f"{one.tokens:,}")
        for at in one.at_most:
            shown.add_row(
                *(whose if at is one.at_most[0] else ("", "", "")),
                f"{at.maximum:,}",
                _share(at.over, one.dialogues),
                _share(at.tokens_cut, one.tokens),
                _share(at.tokens_over, one.tokens),
                _share(at.end.evidence, one.dialogues),
                _share(at.start.evidence, one.dialogues),
            )
    return shown


@click.command("truncation")
@click.argument("mixed", metavar="MIX", type=click.Path(path_type=Path))
@click.option(
    "--tokenizer", type=click.Path(path_type=Path), help="The model folder to count with; else the mix's own."
)
@click.option(
    "--max", "maximums", type=click.IntRange(min=1), multiple=True, metavar="TOKENS...", help="Maximum lengths."
)
@click.argument("more", nargs=-1, type=click.IntRange(min=1), metavar="")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help=f"The folder {FILE} is written to.")
@reported
def command(
    mixed: Path, tokenizer: Path | None, maximums: tuple[int, ...], more: tuple[int, ...], out: Path | None
) -> CommandResult:
    """Show what training on a mix at maximum lengths would lose, source by source."""
    manifest = folder.manifest_of(mixed)
    requested = sorted({*maximums, *more}) or list(MAXIMUMS)
    named = _tokenizer(mixed, tokenizer)
    counter = tokenizers.load(named)
    if not counter.is_fast:
        raise MedctxError(
            f"The tokenizer in {named} cannot tell where its tokens stand; give one with a tokenizer.json."
        )
    with track("truncation", manifest.dialogues, "Dialogues") as advance:

        def counted(dialogue: Dialogue) -> Dialogue:
            advance(1)
            return dialogue

        sources = account(measure(map(counted, read_dialogues(mixed)), counter, requested[0]), requested)
    output_console().print(table(sources))
    if out:
        write_record(out / FILE, TruncationReport(digest=manifest.digest, tokenizer=str(named), sources=sources))
        click.echo(out / FILE)
    return CommandResult(
        outputs=(Output(kind="truncation", path=Path(FILE)),) if out else (), digests={"mix": manifest.digest}
    )
