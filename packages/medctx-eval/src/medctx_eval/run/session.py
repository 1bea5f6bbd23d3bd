"""Opens an engine for one model after the other; a vLLM server is kept while the base model stays the same."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from medctx.errors import MedctxError
from medctx.process.cpu import has_no_accelerator
from medctx.schemas.records import Form, Mode
from medctx_eval.engines import vllm
from medctx_eval.engines.client import Client
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.engines.protocol import Engine
from medctx_eval.engines.transformers import TransformersEngine
from medctx_eval.prompting.prompt import FORMS, Tokenizer
from medctx_eval.prompting.tokenizers import ByteTokenizer, tokenizers_agree
from medctx_eval.run.config import EngineName, ModelConfig, RunConfig, in_float32

LIKELIHOODS: frozenset[Form] = frozenset({"text", "prior", "letter"})
"""Forms that are answered by likelihoods of given texts, without writing any."""
ANY_TOKEN = 65
"""A token id that every vocabulary has."""
NO_ADDRESS = "The engine endpoint needs an address; give urls=[http://host:port]."


def slug(name: str) -> str:
    """A model's name as a folder name: "1:1" becomes "1-1"."""
    return "".join(char if char.isalnum() or char in "._" else "-" for char in name)


class EngineChoice(NamedTuple):
    """The engine of a run, and why it is that one."""

    kind: str
    reason: str


def choose_engine(
    engine: EngineName, urls: Sequence[str], modes: Sequence[Mode], vllm_config: vllm.VllmConfig
) -> EngineChoice:
    """The engine to use. ``auto`` takes the one that was measured to be faster for these modes on such a machine.

    Args:
        engine: The engine that the config names.
        urls: Addresses of servers.
        modes: The scoring modes.
        vllm_config: The vLLM server that would be started.
    """
    if engine != "auto":
        return EngineChoice(engine, "the config names it")
    if urls:
        return EngineChoice("endpoint", "urls are given")
    if not vllm.installed(vllm_config):
        return EngineChoice("transformers", "vLLM is not installed")
    if not all(map(find_spec, ("torch", "transformers"))):
        return EngineChoice("vllm", "transformers is not installed")
    if vllm_config != vllm.VllmConfig():
        return EngineChoice("vllm", "the config has settings of vLLM")
    if not has_no_accelerator():
        return EngineChoice("vllm", "this machine has a GPU")
    if LIKELIHOODS.issuperset(form for mode in modes for form in FORMS[mode]):
        return EngineChoice(
            "transformers", "without a GPU it scores likelihoods faster than vLLM and needs no server to start"
        )
    return EngineChoice("vllm", "it writes several answers at a time")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the engines of a run have in common.

    Attributes:
        kind: Which engine: endpoint, vllm or transformers.
        reason: Why it is that one.
        float32: Whether models that run here are computed in float32.
        urls: Addresses of servers that medctx did not start.
        api_key: Key of the servers.
        concurrency: Requests in flight at each server.
        timeout_s: Seconds a whole answer may take.
        give_up_s: Seconds without any answer after which the run ends.
        vllm: The vLLM server that is started here.
    """

    kind: str
    reason: str
    float32: bool
    urls: tuple[str, ...]
    api_key: str
    concurrency: int
    timeout_s: float
    give_up_s: float
    vllm: vllm.VllmConfig

    @classmethod
    def of(cls, config: RunConfig) -> EngineSettings:
        """Take the settings from a config, and the key from the environment variable that it names."""
        choice = choose_engine(config.engine, config.urls, config.all_modes, config.vllm)
        return cls(
            kind=choice.kind,
            reason=choice.reason,
            float32=in_float32(config.precision),
            urls=config.urls,
            api_key=os.environ.get(config.api_key_variable, ""),
            concurrency=config.concurrency,
            timeout_s=config.timeout_s,
            give_up_s=config.give_up_s,
            vllm=config.vllm,
        )


class Session:
    """The engines of one run; closing it stops the server.

    Args:
        settings: What the engines have in common.
        models: The models that the run examines.
        log: Where a vLLM server that is started here logs.
    """

    def __init__(self, settings: EngineSettings, models: Sequence[ModelConfig], log: Path) -> None:
        self._settings, self._log = settings, log
        self._with_adapters = {model.folder for model in models if model.adapter}
        self._server: vllm.VllmServer | None = None
        self._serving: Path | None = None
        self._kept: dict[str, EndpointEngine] = {}

    def _serve(self, folder: Path) -> vllm.VllmServer:
        if self._server is None or self._serving != folder:
            self.close()
            lora, float32 = folder in self._with_adapters, self._settings.float32
            self._server = vllm.VllmServer(folder, self._log, self._settings.vllm, lora=lora, float32=float32)
            self._serving = folder
        return self._server

    def _endpoint(self, urls: tuple[str, ...], name: str, token: int, *, block_size: int = 16) -> EndpointEngine:
        if not urls:
            raise MedctxError(NO_ADDRESS)
        return EndpointEngine(
            urls,
            name,
            api_key=self._settings.api_key,
            concurrency=self._settings.concurrency,
            block_size=block_size,
            probe_token=token,
            timeout_s=self._settings.timeout_s,
            give_up_s=self._settings.give_up_s,
        )

    def _own_server(self, model: ModelConfig, folder: Path, token: int) -> EndpointEngine:
        server = self._serve(folder)
        served_name = vllm.BASE
        if model.adapter is not None:
            served_name = slug(model.name)
            server.load_adapter(served_name, model.adapter)
        engine = self._endpoint((server.url,), served_name, token, block_size=self._settings.vllm.block_size)
        engine.set_tokenizer(in_bytes=False, agrees=True)
        return engine

    def _external_server(self, model: ModelConfig, tokenizer: Tokenizer, token: int) -> EndpointEngine:
        """The engine for a server that medctx did not start.

        Token ids mean other words under another tokenizer, so they are used only if the tokenizer is the model's, as
        far as the server tells.
        """
        engine = self._kept.pop(model.name, None) or self._endpoint(self._settings.urls, model.name, token)
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
        settings = self._settings
        if not settings.urls:
            raise MedctxError(NO_ADDRESS)
        client = Client(settings.urls[0], settings.api_key, settings.timeout_s, settings.give_up_s)
        try:
            yield client
        finally:
            client.close()

    def probed(self, name: str) -> EndpointEngine:
        """Open the endpoint of a model whose tokenizer is not known yet."""
        return self._endpoint(self._settings.urls, name, ANY_TOKEN)

    def keep(self, name: str, engine: EndpointEngine) -> None:
        """Use an engine that is open already when this model is examined."""
        self._kept[name] = engine

    @contextmanager
    def engine(self, model: ModelConfig, tokenizer: Tokenizer) -> Iterator[Engine]:
        """Open the engine for one model."""
        token = tokenizer.encode("A", add_special_tokens=False)[0]
        engine: Engine
        if self._settings.kind == "endpoint":
            engine = self._external_server(model, tokenizer, token)
        elif model.folder is None:
            raise MedctxError(f"The model {model.name!r} has no folder; give one, or urls with engine=endpoint.")
        elif self._settings.kind == "vllm":
            engine = self._own_server(model, model.folder, token)
        else:
            engine = TransformersEngine.load(model.folder, model.adapter, float32=self._settings.float32)
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
