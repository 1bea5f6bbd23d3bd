"""The verb ``truncation`` of the console command ``medctx-data``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from medctx.config import loading as configs
from medctx.config.command_result import output_console, reported
from medctx.errors import MedctxError
from medctx.io.jsonl import write_record
from medctx.process.progress import track
from medctx.schemas.result import CommandResult, Output

if TYPE_CHECKING:
    from medctx.schemas.records import Dialogue
    from medctx_data.truncation.report import SourceTruncation

FILE = "truncation.json"


def _tokenizer(mix: Path, chosen: Path | None) -> tuple[Path, str]:
    """The chosen tokenizer, else the one the mix was counted with, and its chat template."""
    if chosen is not None:
        return chosen, ""
    from medctx_data.mix_folder.write import CONFIG
    from medctx_data.mixture.config import MixConfig

    config = configs.load(MixConfig, mix / CONFIG, ())
    counted_with = config.tokenizer
    if counted_with is None:
        raise MedctxError(f"{mix / CONFIG} names no tokenizer; give a model folder with --tokenizer.")
    return counted_with, config.chat_template


def _share(part: int, whole: int) -> str:
    return f"{part:,} {100 * part / whole:.1f} %" if part else "0"


def truncation_table(sources: tuple[SourceTruncation, ...]) -> Table:
    """Table with one row per source and maximum."""
    shown = Table(title="what a maximum length loses: tokens where Dialogues are cut or dropped, evidence where cut")
    names = ("source", "Dialogues", "tokens", "at most", "longer", "cut off", "dropped", "evidence: end", "start")
    for name in names:
        shown.add_column(name, justify="left" if name == "source" else "right")
    for source in sources:
        first = (source.source, f"{source.dialogues:,}", f"{source.tokens:,}")
        for loss in source.maximums:
            shown.add_row(
                *(first if loss is source.maximums[0] else ("", "", "")),
                f"{loss.maximum:,}",
                _share(loss.over, source.dialogues),
                _share(loss.tokens_cut, source.tokens),
                _share(loss.tokens_over, source.tokens),
                _share(loss.end.evidence, source.dialogues),
                _share(loss.start.evidence, source.dialogues),
            )
    return shown


@click.command("truncation")
@click.argument("mix", metavar="MIX", type=click.Path(path_type=Path))
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path),
    help="Folder of the model to count with; default: the tokenizer of the mix.",
)
@click.option(
    "--max", "maximums", type=click.IntRange(min=1), multiple=True, metavar="TOKENS...", help="Maximum lengths."
)
@click.argument("more", nargs=-1, type=click.IntRange(min=1), metavar="")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help=f"Folder that {FILE} is written to.")
@reported
def command(
    mix: Path, tokenizer: Path | None, maximums: tuple[int, ...], more: tuple[int, ...], out: Path | None
) -> CommandResult:
    """Show what training on MIX at maximum lengths would lose, source by source."""
    from medctx.io.mix_folder import read_dialogues
    from medctx.text import tokenizer as tokenizers
    from medctx_data.mix_folder.write import manifest_of
    from medctx_data.truncation.measure import measure
    from medctx_data.truncation.report import MAXIMUMS, TruncationReport, truncation_by_source

    manifest = manifest_of(mix)
    lengths = sorted({*maximums, *more}) or list(MAXIMUMS)
    folder, chat_template = _tokenizer(mix, tokenizer)
    loaded = tokenizers.load_tokenizer(folder, chat_template)
    if not loaded.is_fast:
        raise MedctxError(
            f"The tokenizer in {folder} does not report the places of its tokens; give one with a tokenizer.json."
        )
    with track("truncation", manifest.dialogues, "Dialogues") as advance:

        def watched(dialogue: Dialogue) -> Dialogue:
            advance(1)
            return dialogue

        spans = measure(map(watched, read_dialogues(mix)), loaded, lengths[0])
        sources = truncation_by_source(spans, lengths)
    output_console().print(truncation_table(sources))
    if out:
        write_record(out / FILE, TruncationReport(digest=manifest.digest, tokenizer=str(folder), sources=sources))
        click.echo(out / FILE)
    return CommandResult(
        outputs=(Output(kind="truncation", path=Path(FILE)),) if out else (), digests={"mix": manifest.digest}
    )
