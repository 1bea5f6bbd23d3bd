"""All models of a run, one after the other: which engine, which server, which are done already."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from medctx import config as configs
from medctx import digest, tokenizer, tracking
from medctx.errors import MedctxError
from medctx.jsonl import read_record
from medctx.progress import say
from medctx.records import Judged, Mode, Verdict
from medctx_eval import run_folder
from medctx_eval.config import ModelConfig, RunConfig
from medctx_eval.engines import vllm
from medctx_eval.engines.endpoint import EndpointEngine
from medctx_eval.engines.protocol import Engine
from medctx_eval.engines.transformers import TransformersEngine
from medctx_eval.runner import MODES, Paper, examine, manifest


def slug(name: str) -> str:
    """A model's name as a folder name: "1:1" becomes "1-1"."""
    return "".join(char if char.isalnum() or char in "._" else "-" for char in name)


def engine_kind(config: RunConfig) -> str:
    """The engine a config means; ``auto``: endpoint where a url is given, vLLM where installed, else transformers."""
    if config.engine != "auto":
        return config.engine
    if config.url:
        return "endpoint"
    return "vllm" if vllm.installed(config.vllm) else "transformers"


def _with_digests(model: ModelConfig) -> ModelConfig:
    if model.folder is None:
        return model
    tokenizer.require_tokenizer(model.folder)
    weights = model.weights_digest or digest.of_weights(model.folder)
    adapter = model.adapter_digest or (digest.of_weights(model.adapter) if model.adapter else "")
    return model.model_copy(update={"weights_digest": weights, "adapter_digest": adapter})


def _identity(model: ModelConfig, kind: str) -> str:
    """Digest of what answers: the weights and the engine; behind an endpoint only the name is known."""
    return digest.of_value([model.name if kind == "endpoint" else "", model.weights_digest, model.adapter_digest, kind])


def _positions(models: list[ModelConfig], config: RunConfig) -> int:
    """The longest sequence every model takes."""
    lengths = [config.vllm.max_model_len] if config.vllm.max_model_len else []
    for model in models:
        if model.folder is not None:
            settings = json.loads((model.folder / "config.json").read_text())
            length = settings.get("max_position_embeddings")
            if not length:
                raise MedctxError(f"{model.folder}/config.json does not say max_position_embeddings; add it.")
            lengths.append(int(length))
    return min(lengths)


class Session:
    """Opens an engine for one model after the other; a vLLM server is kept while its base stays the same."""

    def __init__(self, config: RunConfig, kind: str, out: Path, lora_folders: frozenset[Path]) -> None:
        self._config, self._kind, self._out, self._lora_folders = config, kind, out, lora_folders
        self._server: vllm.VllmServer | None = None
        self._serving: Path | None = None

    def _serve(self, folder: Path) -> vllm.VllmServer:
        if self._server is None or self._serving != folder:
            self.close()
            log = self._out / "vllm.log"
            self._server = vllm.VllmServer(folder, log, self._config.vllm, lora=folder in self._lora_folders)
            self._serving = folder
        return self._server

    @contextmanager
    def engine(self, model: ModelConfig) -> Iterator[Engine]:
        """The engine for one model."""
        engine: Engine
        if self._kind == "endpoint":
            key = os.environ.get(self._config.api_key_variable, "")
            engine = EndpointEngine(self._config.url, model.name, api_key=key, concurrency=self._config.concurrency)
        elif model.folder is None:
            raise MedctxError(f"The model {model.name!r} has no folder; give one, or a url with engine=endpoint.")
        elif self._kind == "vllm":
            server = self._serve(model.folder)
            served = vllm.BASE
            if model.adapter is not None:
                served = slug(model.name)
                server.load_adapter(served, model.adapter)
            engine = EndpointEngine(
                server.url,
                served,
                concurrency=self._config.concurrency,
                block_size=self._config.vllm.block_size,
            )
        else:
            engine = TransformersEngine.load(model.folder, model.adapter)
        try:
            yield engine
        finally:
            engine.close()

    def close(self) -> None:
        """Stop the server, if one runs."""
        if self._server is not None:
            self._server.close()
            self._server = None


def tokenizer_folder(config: RunConfig) -> Path:
    """The folder whose tokenizer measures and renders the prompts: that of the first model."""
    folder = config.tokenizer or (config.models[0].folder if config.models else None)
    if folder is None:
        raise MedctxError("There is no tokenizer to render prompts with; give tokenizer=<model folder>.")
    return folder


def run(config: RunConfig, out: Path) -> list[Path]:
    """Examine every model of the config into a folder of its own; returns the folders in the models' order."""
    if not config.models:
        raise MedctxError("There is no model to examine; give models with a name and a folder, or a url.")
    kind = engine_kind(config)
    models = [_with_digests(model) for model in config.models]
    paper = Paper(config, tokenizer.load(tokenizer_folder(config)))
    out.mkdir(parents=True, exist_ok=True)
    configs.save(config, out / "config.yaml")
    lora = frozenset(model.folder for model in models if model.folder and model.adapter)
    session = Session(config, kind, out, lora)
    paper_digest = paper.digest
    folders = []
    with tracking.run("exam", "exam") as tracked:
        tracked.params({"engine": kind, "mode": config.mode, "items": len(paper.seats), "books": paper.books})
        for exam in paper.exams:
            tracked.tags({f"exam.{exam.card.name}": exam.card.digest})
        try:
            for model in models:
                identity = _identity(model, kind)
                folder = out / f"{slug(model.name)}-{identity[: digest.SHORT]}"
                folders.append(folder)
                key = digest.of_value([identity, paper_digest, config.mode])
                done = folder / run_folder.MANIFEST
                if done.is_file() and read_record(done, run_folder.Manifest).key == key:
                    say(f"{model.name} is examined already ({folder}).")
                    continue
                with session.engine(model) as engine:
                    positions = engine.max_positions if model.folder is None else _positions(models, config)
                    judged = examine(paper, engine, model.name, identity, positions, folder, MODES)
                digests = (model.weights_digest, model.adapter_digest)
                result = manifest(paper, config, engine, model.name, kind, digests, key, len(judged))
                run_folder.write(folder, result, judged)
                tracked.metrics({f"{slug(model.name)}.{name}": value for name, value in headline(judged, config.mode)})
                cost = result.cost.model_dump().items()
                tracked.metrics({f"{slug(model.name)}.{name}": float(value) for name, value in cost})
                for file in (run_folder.VERDICTS, run_folder.MANIFEST):
                    tracked.artifact(folder / file, f"exam/{folder.name}")
        finally:
            session.close()
    return folders


def headline(judged: Sequence[Judged], mode: Mode) -> list[tuple[str, float]]:
    """Accuracy per axis in the headline mode, for the tracker's tables; the report has the intervals."""
    found = []
    for axis in ("knowledge", "reading"):
        own = [one for one in judged if one.axis == axis and one.mode == mode and one.tags.get("taught") != "no"]
        if own:
            found.append((axis, sum(one.verdict is Verdict.CORRECT for one in own) / len(own)))
    return found
