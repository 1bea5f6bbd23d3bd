"""The command ``medctx-eval serve``."""

from __future__ import annotations

from pathlib import Path

import click

from medctx.config import loading as configs
from medctx.config.cli import one_sentence


@click.command()
@click.argument("source")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: a free port.")
@click.option("--log", type=click.Path(path_type=Path), default=Path("vllm.log"), show_default=True, help="vLLM's log.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the section vllm of an exam."
)
@one_sentence
def serve(source: str, port: int, log: Path, overrides: tuple[str, ...]) -> None:
    """Serve a model with vLLM behind an OpenAI-compatible address, until interrupted.

    SOURCE is a registered adapter (models:/NAME/VERSION, models:/NAME@ALIAS), a model folder, a hub ID or an embedded
    model.
    """
    from medctx.model import rope
    from medctx.text.chat_templates import adapter_template
    from medctx_eval.artifacts.local_model import locate
    from medctx_eval.engines.vllm import BASE, VllmConfig, VllmServer

    model = locate(source)
    config = configs.load(VllmConfig, None, [f"port={port}", *overrides])
    positions = rope.read_overrides(model.adapter) if model.adapter else None
    if positions:
        scaled = {**positions.model_dump(), **config.hf_overrides}
        config = config.model_copy(update={"hf_overrides": scaled})
    template = adapter_template(model.adapter)
    if template:
        config = config.model_copy(update={"extra_args": (*config.extra_args, "--chat-template", template)})
    with VllmServer(model.folder, log, config, lora=model.adapter is not None) as server:
        names = [BASE]
        if model.adapter:
            names.insert(0, source)
            server.load_adapter(source, model.adapter)
        click.echo(f"{server.url}/v1 serves {' and '.join(names)}; stop it with Ctrl-C.")
        server.wait()
