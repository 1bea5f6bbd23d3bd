"""The command ``medctx-data detect``: what would be read from files, without reading them whole."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
import yaml

from medctx.config import loading as configs
from medctx.config.command_result import reported
from medctx.errors import MedctxError
from medctx.schemas.result import CommandResult

if TYPE_CHECKING:
    from medctx_data.sources.inspection import Inspection


def _snippet(result: Inspection) -> str:
    """The source as a config writes it, with what was detected in comments."""
    from medctx_data.sources.config import SourceConfig

    config = result.config
    path = str(config.path) if isinstance(config.path, Path) else [str(path) for path in config.paths]
    source: dict[str, object] = {"path": path, "domain": result.domain or "medical"}
    for key in ("name", "split", "subset", "tool_turns", "reasoning", "answer_base", "language"):
        value = getattr(config, key)
        if value != SourceConfig.model_fields[key].default:
            source[key] = value
    if result.form != "dialogues":
        source["form"] = result.form
    if result.columns:
        source["columns"] = result.columns
    # With its form and columns stated, a source is not recognised by its layout again.
    if result.answer_base is not None:
        source["answer_base"] = result.answer_base
    text = yaml.safe_dump({"sources": [source]}, sort_keys=False, allow_unicode=True, width=1_000).rstrip()
    return text if result.domain else text.replace("domain: medical", "domain: medical  # or general")


def _lines(result: Inspection) -> list[str]:
    from medctx_data.sources.card import FORMS

    refused = "; ".join(f"{count} {reason}" for reason, count in result.refused.items())
    notes = "; ".join(f"{note} ({count} rows)" for note, count in result.notes.items())
    stated = "as the config says" if result.config.domain else "from the name of the file or folder"
    rows = (
        ("files", ", ".join(result.files)),
        ("not read", ", ".join(result.left_out)),
        ("format", ", ".join(result.formats)),
        ("form", f"{result.form}{f' (the layout of {result.layout})' if result.layout else ''}: {FORMS[result.form]}"),
        ("columns used", ", ".join(result.used)),
        ("columns unused", ", ".join(result.unused)),
        ("domain", f"{result.domain} ({stated})" if result.domain else "not stated: add domain: general or medical"),
        ("rows looked at", f"{result.rows:,}, {result.readable:,} readable"),
        ("refused", refused),
        ("noted", notes),
    )
    return [f"{name:<16}{value}" for name, value in rows if value]


@click.command("detect")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set a key of the source, such as form.")
@reported
def command(paths: tuple[str, ...], overrides: tuple[str, ...]) -> CommandResult:
    """Show how files would be read as a source: format, form, columns, three Dialogues, and the config for it.

    PATH is a file, a folder, a saved data set, a cloned repository or a pattern; several are one source.
    """
    from medctx_data.cli.tables import EXAMPLES, shortened_text
    from medctx_data.sources.config import SourceConfig
    from medctx_data.sources.inspection import inspect_source

    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    config = configs.load(SourceConfig, None, [f"path={listed if len(paths) == 1 else f'[{listed}]'}", *overrides])
    result = inspect_source(config)
    for line in _lines(result):
        click.echo(line)
    for dialogue in result.dialogues[:EXAMPLES]:
        click.echo(shortened_text(dialogue))
    snippet = _snippet(result)
    click.echo(f"\n{snippet}")
    if not result.dialogues:
        first = next(iter(Counter(result.refused)), "the files hold no rows")
        raise MedctxError(f"None of the first {result.rows:,} rows can be read: {first}.")
    return CommandResult(
        status="dry-run",
        numbers={"rows": result.rows, "readable": result.readable, "files": len(result.files)},
        labels={
            "format": ", ".join(result.formats),
            "form": result.form,
            "layout": result.layout,
            "domain": result.domain or "",
            "columns used": ", ".join(result.used),
            "columns unused": ", ".join(result.unused),
            "config": snippet,
        },
    )
