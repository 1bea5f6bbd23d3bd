"""The study's command line: ``python -m study run NAME``."""

from __future__ import annotations

import click

from medctx.config import loading as configs
from medctx.config.cli import one_sentence
from medctx.process.progress import say
from medctx.tracking import mlflow_run as tracking
from study.cli.law import law, recommend
from study.config.grid import cells
from study.config.load import STUDIES, load
from study.config.study import StudyConfig
from study.forecast.dry_run import describe
from study.pipeline import Outcome, run
from study.recommendable import require_recommendable

INCOMPLETE = 1
"""Exit code of a study that has a report, but not of all its cells."""


@click.group()
def main() -> None:
    """Whole studies: mixtures, fine-tuning, exam, report and registry."""


def _show(outcome: Outcome) -> None:
    click.echo(outcome.table)
    click.echo(f"report      {outcome.report.resolve()}")
    if outcome.summary.run_id:
        mlflow = tracking.client()
        uri = mlflow.get_tracking_uri()
        click.echo(f"MLflow run  {outcome.summary.run_id} in {uri} (look: mlflow ui --backend-store-uri {uri})")
    for one in outcome.registered:
        aliases = "".join(f" @{alias}" for alias in one.aliases)
        click.echo(f"registered  {one.model} version {one.version}: cell {one.cell}{aliases}")


@main.command("run")
@click.argument("name")
@click.option("--with", "overlays", multiple=True, metavar="NAME", help="Lay studies/with/NAME.yaml over it.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the study.")
@click.option("--dry-run", is_flag=True, help="Show cells, steps and what is done already; run nothing.")
@click.option("--recommend", "recommending", is_flag=True, help="End with the recommended composition as a cell.")
@one_sentence
def run_study(
    name: str, overlays: tuple[str, ...], overrides: tuple[str, ...], dry_run: bool, recommending: bool
) -> None:
    """Run a study by name (studies/NAME.yaml) or path; the same command continues a killed one."""
    config = load(name, overlays, overrides)
    if recommending:
        require_recommendable(config)
    if dry_run:
        click.echo(describe(config))
        if recommending:
            click.echo(
                "then        the recommended composition, trained with every seed and examined as a cell of its own"
            )
        return
    trained = [cell for cell in cells(config) if cell.trained]
    say(f"Study {config.name}: {len(trained)} trained cells and {len(config.labels)} untouched.")
    if recommending:
        # The law's libraries take seconds to import: only commands that fit one wait for them.
        from study.law.output import publish
        from study.recommendation import run_recommended

        found = run_recommended(config)
        outcome = found.outcome
        _show(outcome)
        publish.show_recommendation(found.recommendation)
        if found.check is not None:
            publish.show_check(found.check)
    else:
        outcome = run(config)
        _show(outcome)
    if outcome.summary.missing:
        raise SystemExit(INCOMPLETE)


@main.command("list")
def list_studies() -> None:
    """Name the studies that come with the project."""
    for file in sorted(STUDIES.glob("*.yaml")):
        click.echo(f"{file.stem:12} {configs.load(StudyConfig, file).title}")


main.add_command(law)
main.add_command(recommend)

if __name__ == "__main__":
    main()
