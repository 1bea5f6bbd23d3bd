"""The command ``medctx-eval model``."""

from __future__ import annotations

import click

from medctx.config.command_result import reported
from medctx.schemas.result import CommandResult, Output


@click.command()
@click.argument("source")
@click.option("--base", default="", help="The base of an adapter; default: the one that the adapter names.")
@reported
def model(source: str, base: str) -> CommandResult:
    """Find a model, download what is missing, check its digests, and print its folders.

    SOURCE is a model folder, a hub ID, an embedded model, an adapter (folder or hub ID), or a registered adapter
    (models:/NAME/VERSION, models:/NAME@ALIAS). Of an adapter, the folder of its base is printed first.
    """
    from medctx_eval.artifacts.local_model import locate

    located = locate(source, base)
    outputs = [Output(kind="model", path=located.folder.resolve(), name=located.name, digest=located.weights_digest)]
    if located.adapter is not None:
        adapter = located.adapter.resolve()
        outputs.append(Output(kind="adapter", path=adapter, name=located.name, digest=located.adapter_digest))
    for output in outputs:
        click.echo(str(output.path))
    labels = {"id": located.base, "revision": located.revision, "licence": located.licence}
    return CommandResult(outputs=tuple(outputs), labels=labels)
