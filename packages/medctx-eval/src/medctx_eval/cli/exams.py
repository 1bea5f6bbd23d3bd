"""The commands of ``medctx-eval exams``."""

from __future__ import annotations

from pathlib import Path

import click

from medctx.config.command_result import reported
from medctx.errors import MedctxError
from medctx.schemas.exam_run import ExamCard
from medctx.schemas.result import CommandResult, Output
from medctx.text.chat_templates import DESCRIPTION

EXAMPLES = 3
EXAMPLE_CHARS = 600


@click.group()
def exams() -> None:
    """List and show exams, and check a file of your own questions."""


@exams.command("list")
@reported
def list_exams() -> CommandResult:
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
    for name, registered in EXAMS.items():
        card = registered.card
        items = f"{card.items:,}" if card.items else ""
        table.add_row(name, items, card.language, "yes" if registered.has_evidence else "no", card.licence)
    Console().print(table)
    return CommandResult(labels={name: registered.card.licence for name, registered in EXAMS.items()})


@exams.command("show")
@click.argument("name")
@click.option("--path", type=click.Path(path_type=Path), default=None, help="File or folder to read the exam from.")
@click.option("--passages", type=click.Path(path_type=Path), default=None, help="File of the passages.")
@reported
def show_exam(name: str, path: Path | None, passages: Path | None) -> CommandResult:
    """Show the card of an exam; for a generated exam, or with --path, also its first item."""
    from medctx.config import loading as configs
    from medctx.facts.curriculum import CurriculumConfig
    from medctx_eval.exams import registry
    from medctx_eval.exams.config import ExamConfig

    registered = registry.lookup(name)
    if path is None and not registered.card.generated:
        click.echo(configs.dump(registered.card))
        click.echo(registered.about.strip())
        return _card_result(registered.card)
    config = ExamConfig(exam=name, path=path, passages=passages)
    exam = registry.build_exam(config, CurriculumConfig.model_validate({}), 0)
    click.echo(configs.dump(exam.card))
    click.echo(configs.dump(exam.items[0]))
    for evidence in exam.items[0].evidence:
        if evidence in exam.by_id:
            click.echo(exam.by_id[evidence].text[:500])
    return _card_result(exam.card)


def _card_result(card: ExamCard) -> CommandResult:
    return CommandResult(
        numbers={"items": card.items, "passages": card.passages},
        labels={"exam": card.name, "licence": card.licence, "language": card.language},
        digests={card.name: card.digest},
    )


@exams.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--passages", type=click.Path(path_type=Path), default=None, help="File of the passages it names.")
@click.option("--tokenizer", default="", help="Folder or hub ID of a model: questions are shown as it reads them.")
@click.option("--chat-template", default="", help=DESCRIPTION)
@reported
def check_exam(file: Path, passages: Path | None, tokenizer: str, chat_template: str) -> CommandResult:
    """Check a file of your own questions: how it is read, three of them as they will be asked, what is wrong with rows.

    Exit code 2 if a row is not a question.
    """
    from medctx_eval.exams.check import check_entries, describe_exam
    from medctx_eval.prompting.prompt import listed_question, render_prompt
    from medctx_eval.prompting.tokenizers import load_exam_tokenizer

    if chat_template and not tokenizer:
        raise MedctxError(
            "A chat template is shown with the control tokens of a model; give its folder as --tokenizer."
        )
    rendered = load_exam_tokenizer(tokenizer, chat_template) if tokenizer else None
    result = check_entries(file, passages)
    click.echo(describe_exam(result, passages))
    for item in result.items[:EXAMPLES]:
        book = next((result.contexts[name] for name in item.evidence if name in result.contexts), "")
        shown = f"{book[:EXAMPLE_CHARS]}{' [...]' if len(book) > EXAMPLE_CHARS else ''}\n\n" if book else ""
        message = f"{shown}{listed_question(item, item.options)}"
        message = render_prompt(rendered, message) if rendered else message
        click.echo(f"--- {item.id}, gold {', '.join(item.gold)}\n{message}")
    if result.problems:
        count = f"{len(result.problems):,} problems" if len(result.problems) > 1 else "a problem"
        raise MedctxError(f"{file} has {count}, listed above; mend what is listed.")
    return CommandResult(
        status="dry-run",
        numbers={"rows": result.rows, "items": len(result.items), "passages": result.passages},
        labels={"layout": result.summary, "ignored": ", ".join(sorted(result.ignored))},
    )


@exams.command("schema")
@reported
def print_schema() -> CommandResult:
    """Print the row schema for a file of your own questions."""
    from medctx_eval.exams import schema

    click.echo((schema.__doc__ or "").strip())
    return CommandResult(labels={"needed": ", ".join(schema.NEEDED), "columns": ", ".join(sorted(schema.COLUMNS))})


@exams.command("probe")
@click.argument("name")
@click.option("--path", type=click.Path(path_type=Path), default=None, help="File or folder to read the exam from.")
@click.option("--passages", type=click.Path(path_type=Path), default=None, help="File of the passages.")
@click.option(
    "--condition", "conditions", multiple=True, default=("closed", "gold"), help="A condition; may be repeated."
)
@click.option("--limit", default=40, show_default=True, help="Most items of each condition.")
@click.option("--tokenizer", default="bytes", show_default=True, help="Measures Books that have a length.")
@click.option("--seed", default=0, show_default=True, help="Seed of the order of distractors.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The probe file to write.")
@reported
def write_probe(
    name: str,
    path: Path | None,
    passages: Path | None,
    conditions: tuple[str, ...],
    limit: int,
    tokenizer: str,
    seed: int,
    out: Path,
) -> CommandResult:
    """Write items of an exam as a probe file, which `medctx-train sft` asks during training (probe.items)."""
    from medctx.facts.curriculum import CurriculumConfig
    from medctx.io.jsonl import write_records
    from medctx_eval.exams import registry
    from medctx_eval.exams.condition import parse
    from medctx_eval.exams.config import ExamConfig
    from medctx_eval.planning.batches import probe_items
    from medctx_eval.planning.build import CachedTokenCounter
    from medctx_eval.prompting import tokenizers

    count_tokens = CachedTokenCounter(tokenizers.load_exam_tokenizer(tokenizer))
    config = ExamConfig(exam=name, path=path, passages=passages, conditions=conditions)
    exam = registry.build_exam(config, CurriculumConfig.model_validate({}), seed)
    parsed = [parse(condition) for condition in config.conditions]
    count = write_records(out, probe_items(exam, parsed, count_tokens, limit=limit, seed=seed))
    click.echo(f"{out}: {count} items")
    return CommandResult(outputs=(Output(kind="file", path=out.resolve(), name=out.name),), numbers={"items": count})
