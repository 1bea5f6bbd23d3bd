"""Opens an engine for one model after the other; a vLLM server is kept while the base model stays the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medctx.errors import MedctxError
from medctx_eval.engines import vllm
from medctx_eval.engines.client import Client
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.engines.protocol import Engine
from medctx_eval.engines.transformers import TransformersEngine
from medctx_eval.prompting.prompt import Tokenizer
from medctx_eval.prompting.tokenizers import ByteTokenizer, tokenizers_agree
from medctx_eval.run.config import ModelConfig, RunConfig, in_float32

ANY_TOKEN = 65
"""A token id that every vocabulary has."""
NO_ADDRESS = "The engine endpoint needs an address; give urls=[http://host:port]."


def slug(name: str) -> str:
    """A model's name as a folder name: "1:1" becomes "1-1"."""
    return "".join(char if char.isalnum() or char in "._" else "-" for char in name)


def engine_kind(config: RunConfig) -> str:
    """The engine that a config selects; ``auto``: endpoint if urls are given, vLLM if installed, else transformers."""
    if config.engine != "auto":
        return config.engine
    if config.urls:
        return "endpoint"
    return "vllm" if vllm.installed(config.vllm) else "transformers"


class Session:
    """The engines of one run; closing it stops the server."""

    def __init__(self, config: RunConfig, kind: str, out: Path) -> None:
        self._config, self._kind, self._out = config, kind, out
        self._with_adapters = {model.folder for model in config.models if model.adapter}
        self._float32 = in_float32(config.precision)
        self._server: vllm.VllmServer | None = None
        self._serving: Path | None = None
        self._kept: dict[str, EndpointEngine] = {}

    def _serve(self, folder: Path) -> vllm.VllmServer:
        if self._server is None or self._serving != folder:
            self.close()
            log = self._out / "vllm.log"
            lora = folder in self._with_adapters
            self._server = vllm.VllmServer(folder, log, self._config.vllm, lora=lora, float32=self._float32)
            self._serving = folder
        return self._server

    def _endpoint(self, urls: tuple[str, ...], name: str, token: int, *, block_size: int = 16) -> EndpointEngine:
        if not urls:
            raise MedctxError(NO_ADDRESS)
        return EndpointEngine(
            urls,
            name,
            api_key=os.environ.get(self._config.api_key_variable, ""),
            concurrency=self._config.concurrency,
            block_size=block_size,
            probe_token=token,
            timeout_s=self._config.timeout_s,
            give_up_s=self._config.give_up_s,
        )

    def _own_server(self, model: ModelConfig, folder: Path, token: int) -> EndpointEngine:
        server = self._serve(folder)
        served_name = vllm.BASE
        if model.adapter is not None:
            served_name = slug(model.name)
            server.load_adapter(served_name, model.adapter)
        engine = self._endpoint((server.url,), served_name, token, block_size=self._config.vllm.block_size)
        engine.set_tokenizer(in_bytes=False, agrees=True)
        return engine

    def _external_server(self, model: ModelConfig, tokenizer: Tokenizer, token: int) -> EndpointEngine:
        """The engine for a server that medctx did not start.

        Token ids mean other words under another tokenizer, so they are used only if the tokenizer is the model's, as
        far as the server tells.
        """
        engine = self._kept.pop(model.name, None) or self._endpoint(self._config.urls, model.name, token)
        in_bytes = isinstance(tokenizer, ByteTokenizer)
        agree = tokenizers_agree(engine.client, model.name, tokenizer)
        engine.set_tokenizer(in_bytes=in_bytes, agrees=agree)
        if not engine.abilities.tokens:
            return engine
        if in_bytes:
            if not agree:
                engine.without_tokens()
        elif agree is False:
            engine.close()
            raise MedctxError(
                f"The tokenizer given is not that of {model.name!r}: {engine.client.url} tokenises a question "
                "differently; give tokenizer=<folder or hub name of the served model>."
            )
        return engine

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A connection to the first server."""
        urls, key = self._config.urls, os.environ.get(self._config.api_key_variable, "")
        if not urls:
            raise MedctxError(NO_ADDRESS)
        client = Client(urls[0], key, self._config.timeout_s, self._config.give_up_s)
        try:
            yield client
        finally:
            client.close()

    def probed(self, name: str) -> EndpointEngine:
        """Open the endpoint of a model whose tokenizer is not known yet."""
        return self._endpoint(self._config.urls, name, ANY_TOKEN)

    def keep(self, name: str, engine: EndpointEngine) -> None:
        """Use an engine that is open already when this model is examined."""
        self._kept[name] = engine

    @contextmanager
    def engine(self, model: ModelConfig, tokenizer: Tokenizer) -> Iterator[Engine]:
        """Open the engine for one model."""
        token = tokenizer.encode("A", add_special_tokens=False)[0]
        engine: Engine
        if self._kind == "endpoint":
            engine = self._external_server(model, tokenizer, token)
        elif model.folder is None:
            raise MedctxError(f"The model {model.name!r} has no folder; give one, or urls with engine=endpoint.")
        elif self._kind == "vllm":
            engine = self._own_server(model, model.folder, token)
        else:
            engine = TransformersEngine.load(model.folder, model.adapter, float32=self._float32)
        try:
            yield engine
        finally:
            engine.close()

    @contextmanager
    def base_engine(self, model: ModelConfig, tokenizer: Tokenizer) -> Iterator[Engine]:
        """Open the engine for the base of a model with an adapter."""
        with self.engine(model.model_copy(update={"adapter": None}), tokenizer) as engine:
            yield engine

    def close(self) -> None:
        """Stop the server, if one is running, and close engines that were not used."""
        for engine in self._kept.values():
            engine.close()
        self._kept.clear()
        if self._server is not None:
            self._server.close()
            self._server = None
