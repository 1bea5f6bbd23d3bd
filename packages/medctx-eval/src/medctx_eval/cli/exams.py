"""The verbs of ``medctx-eval exams``: which exams there are, what one is, and whether a file of one's own is one."""

from __future__ import annotations

from pathlib import Path

import click

from medctx.config.cli import one_sentence
from medctx.config.command_result import reported
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.result import CommandResult, Output


@click.group()
def exams() -> None:
    """Look at exams, and check a file of your own questions."""


@exams.command("list")
@one_sentence
def list_() -> None:
    """List the exams by name."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from medctx_eval.exams.registry import EXAMS

    table = Table(box=box.SIMPLE)
    table.add_column("exam", no_wrap=True)
    table.add_column("items", justify="right", no_wrap=True)
    for heading in ("language", "Book", "licence"):
        table.add_column(heading)
    for name, listed in EXAMS.items():
        card = listed.card
        items = f"{card.items:,}" if card.items else ""
        table.add_row(name, items, card.language, "yes" if listed.book else "no", card.licence)
    Console().print(table)


@exams.command()
@click.argument("name")
@click.option("--path", type=click.Path(path_type=Path), default=None, help="A file or folder to read it from.")
@click.option("--passages", type=click.Path(path_type=Path), default=None, help="The passages file beside it.")
@reported
def show(name: str, path: Path | None, passages: Path | None) -> CommandResult:
    """Show the card of an exam; of a generated one, or with --path, as it is built, with its first item."""
    from medctx.config import loading as configs
    from medctx.facts.curriculum import CurriculumConfig
    from medctx_eval.exams import registry
    from medctx_eval.run.config import ExamConfig

    listed = registry.listed(name)
    if path is None and not listed.card.generated:
        click.echo(configs.dump(listed.card))
        click.echo(listed.about.strip())
        return _shown(listed.card)
    asked = ExamConfig(exam=name, path=path, passages=passages)
    exam = registry.build(asked, CurriculumConfig.model_validate({}), 0)
    click.echo(configs.dump(exam.card))
    click.echo(configs.dump(exam.items[0]))
    for evidence in exam.items[0].evidence:
        if evidence in exam.by_id:
            click.echo(exam.by_id[evidence].text[:500])
    return _shown(exam.card)


def _shown(card: ExamCard) -> CommandResult:
    return CommandResult(
        numbers={"items": card.items, "passages": card.passages},
        labels={"exam": card.name, "licence": card.licence, "language": card.language},
        digests={card.name: card.digest},
    )


@exams.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--passages", type=click.Path(path_type=Path), default=None, help="The passages its book_id name.")
@one_sentence
def check(file: Path, passages: Path | None) -> None:
    """Check a file of questions in the row schema; exit code 2 where a row is none."""
    from medctx_eval.exams.check import check as examine
    from medctx_eval.exams.check import describe

    checked = examine(file, passages)
    click.echo(describe(checked, passages))
    if checked.problems:
        raise SystemExit(2)


@exams.command()
def schema() -> None:
    """Print the row schema, in which a file of one's own is written."""
    from medctx_eval.exams import schema as described

    click.echo((described.__doc__ or "").strip())


@exams.command()
@click.argument("name")
@click.option("--path", type=click.Path(path_type=Path), default=None, help="A file or folder to read the exam from.")
@click.option("--passages", type=click.Path(path_type=Path), default=None, help="The passages file beside it.")
@click.option(
    "--condition", "conditions", multiple=True, default=("closed", "gold"), help="May be given several times."
)
@click.option("--limit", default=40, show_default=True, help="Items of each condition at most.")
@click.option("--tokenizer", default="bytes", show_default=True, help="What Books with a length are measured by.")
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The probe file to write.")
@reported
def probe(
    name: str,
    path: Path | None,
    passages: Path | None,
    conditions: tuple[str, ...],
    limit: int,
    tokenizer: str,
    seed: int,
    out: Path,
) -> CommandResult:
    """Write items of an exam as a probe, which `medctx-train sft` asks while it trains (probe.items)."""
    from medctx.facts.curriculum import CurriculumConfig
    from medctx.io.jsonl import write_records
    from medctx_eval.exams import registry
    from medctx_eval.exams.condition import parse
    from medctx_eval.prompting import tokenizers
    from medctx_eval.run.config import ExamConfig
    from medctx_eval.run.probe_items import probe_items

    counting = tokenizers.load(tokenizer)
    asked = ExamConfig(exam=name, path=path, passages=passages, conditions=conditions)
    exam = registry.build(asked, CurriculumConfig.model_validate({}), seed)
    items = probe_items(
        exam,
        [parse(one) for one in asked.conditions],
        lambda text: len(counting.encode(text, add_special_tokens=False)),
        limit=limit,
        seed=seed,
    )
    count = write_records(out, items)
    click.echo(f"{out}: {count} items")
    return CommandResult(outputs=(Output(kind="file", path=out.resolve(), name=out.name),), numbers={"items": count})
