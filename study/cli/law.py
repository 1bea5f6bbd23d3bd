"""``python -m study law`` and ``python -m study recommend``. What they compute with is imported when they are called:
it takes seconds, and every command of the study would wait for it.
"""

from __future__ import annotations

from pathlib import Path

import click

from medctx.config.cli import one_sentence
from medctx.errors import MedctxError
from medctx.process.progress import say
from study.law.recommend.defaults import CONFIDENCE, UTILITY

OUT = click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="The folder for law.json, law.md and pictures."
)
POSITIVE_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="STUDY...")


@click.command("law")
@PATHS
@OUT
@click.option("--margin", type=POSITIVE_SHARE, help="Difference that counts as none [report's].")
@one_sentence
def law(paths: tuple[Path, ...], out: Path | None, margin: float | None) -> None:
    """Fit the mixing law to finished studies, and say how well it predicts what it was not shown.

    STUDY is the folder of a finished study (work/studies/NAME), a report.json, or a .csv table with the columns
    ratio, amount, size, seed, items, knowledge, reading (the last two in per cent; ratio "base" for the untouched
    model). Several are taken together. Nothing is written without --out.
    """
    from study.law.output import publish

    found = publish.law(paths, margin)
    publish.show_law(found.record)
    if out is not None:
        publish.write_law(found, out)
        say(f"Written: {out / publish.LAW}, {out / publish.PAGE} and pictures.")


@click.command("recommend")
@PATHS
@OUT
@click.option("--utility", default=UTILITY, show_default=True, help="To maximise, such as 0.5*knowledge + 0.5*reading.")
@click.option("--margin", type=POSITIVE_SHARE, help="Loss of reading that counts as none [the report's].")
@click.option("--no-margin", is_flag=True, help="Reading may fall as it likes.")
@click.option(
    "--confidence",
    type=POSITIVE_SHARE,
    default=CONFIDENCE,
    show_default=True,
    help="How probable it must be that reading is kept.",
)
@click.option("--amount", type=click.FloatRange(0, min_open=True), help="Of training data [that of most cells].")
@click.option("--seeds", type=click.IntRange(1), help="Runs the composition will be trained [as the study's cells].")
@click.option("--next", "batch", type=click.IntRange(0, 20), default=3, show_default=True, help="Cells to run next.")
@click.option("--anew", is_flag=True, help="Replace a recommendation that was made from other data.")
@click.option(
    "--check", "checking", is_flag=True, help="Hold it against the study, which has run the composition since."
)
@one_sentence
def recommend(
    paths: tuple[Path, ...],
    out: Path | None,
    utility: str,
    margin: float | None,
    no_margin: bool,
    confidence: float,
    amount: float | None,
    seeds: int | None,
    batch: int,
    anew: bool,
    checking: bool,
) -> None:
    """Recommend a composition: the one that knows most and still reads as well as the untouched model.

    Writes a frozen recommendation.json, a picture and a study YAML that runs the composition beside the report (or into
    --out). After that run, --check sets prediction beside measurement.
    """
    from study.law.output import publish
    from study.law.recommend.recommend import Options

    if margin is not None and no_margin:
        raise MedctxError("--margin and --no-margin exclude each other; give one of them.")
    folder = publish.folder_of(paths, out)
    if checking:
        publish.show_check(publish.check(paths, folder))
        return
    evidence = publish.read(paths)
    options = Options(
        utility=utility,
        margin=None if no_margin else margin or evidence.margin,
        confidence=confidence,
        amount=amount,
        seeds=seeds or evidence.seeds,
        batch=batch,
    )
    publish.show_recommendation(publish.recommend(evidence, options, folder, anew=anew))
    say(f"Written: {folder / publish.RECOMMENDATION}, {folder / publish.CELL} and a picture.")
