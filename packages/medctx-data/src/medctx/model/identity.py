"""What a model is: one digest of every file that can change its answers.

A model folder, or a PEFT adapter folder, is identified by the bytes of its weights (safetensors, PyTorch ``.bin``,
``.pt`` and ``.pth``, GGUF; whole or in shards), config, generation config, tokenizer, chat templates and code. Two
folders with the same digest give the same answers under the same engine. Files that no engine reads for an answer
(README, licence, optimizer states, manifests) are left out. A folder without weights of these formats is refused,
naming what it holds.

Large files are hashed once: a digest is kept in the cache with the file's device, inode, size, modification and change
times. The kernel sets the change time, and no program can set it back. The times are not trusted alone: a kept digest
also needs the same hash of samples from all over the file, and it is kept only of files unchanged for ``SETTLED_S``
before they were hashed, since two changes within one tick of a clock have the same times.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import ValidationError

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.io.cache import cache_folder
from medctx.schemas.records import Record

ADAPTER_CONFIG = "adapter_config.json"
CACHE_FILE = "file-digests.jsonl"
KEEP_FROM_BYTES = 2**25
"""Smaller files are hashed every time, in less than a tenth of a second."""
SETTLED_S = 3.0
_SAMPLES, _SAMPLE_BYTES = 64, 4096

_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth", "*.gguf")
_NO_WEIGHTS = ("training_args.bin", "optimizer*", "scheduler*", "rng_state*", "random_states*", "scaler*", "tokenizer*")
_SETTINGS = (
    "*config*.json",
    "*.index.json",
    "params.json",
    "rope.json",
    "tokenizer*",
    "tekken.json",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template*",
    "*.jinja",
    "*.model",
    "*.tiktoken",
    "*.py",
)
_TEMPLATE_FOLDER = "additional_chat_templates"
_OTHER_FORMATS = ("*.h5", "*.msgpack", "*.onnx", "*.npz", "*.ckpt", "*.tflite", "*.mlmodel", "*.ggml", "*.nemo", "*.ot")
_WHERE_FROM = frozenset({"base_model_name_or_path", "revision"})
"""Keys of an adapter's config that say where its base was on the machine that trained it; the base has its own
digest."""


_SETS = ("target_modules", "exclude_modules", "modules_to_save")


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def is_weights(name: str) -> bool:
    """Whether a file name is that of weights which an engine loads."""
    return _matches(name, _WEIGHTS) and not _matches(name, _NO_WEIGHTS)


def identifying_files(folder: Path) -> list[Path]:
    """The files of a model or adapter folder that can change its answers, sorted by name."""
    templates = folder / _TEMPLATE_FOLDER
    files = [path for path in folder.iterdir() if is_weights(path.name) or _matches(path.name, _SETTINGS)]
    files += list(templates.iterdir()) if templates.is_dir() else []
    return sorted(path for path in files if path.is_file())


class _FileDigest(Record):
    """A digest of a file, and what the file looked like when it was computed."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    samples: str
    digest: str


def _samples(path: Path, size: int) -> str:
    """Hash of pieces spread evenly over the file."""
    hashed = hashlib.sha256()
    with path.open("rb") as stream:
        for number in range(_SAMPLES):
            stream.seek((size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
            hashed.update(stream.read(_SAMPLE_BYTES))
    return hashed.hexdigest()


def _kept() -> Iterator[_FileDigest]:
    with contextlib.suppress(OSError):
        for line in (cache_folder() / CACHE_FILE).read_bytes().splitlines():
            with contextlib.suppress(ValidationError):
                yield _FileDigest.model_validate_json(line)


def _keep(entry: _FileDigest) -> None:
    """Append an entry; a cache that cannot be written is no error."""
    with contextlib.suppress(OSError):
        file = cache_folder() / CACHE_FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        # One short write in append mode: lines of several processes do not mix.
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, entry.model_dump_json().encode() + b"\n")
        finally:
            os.close(descriptor)


def file_digest(path: Path) -> str:
    """Return the hex digest of a file's bytes, read from the cache if the file is large and unchanged."""
    stat = path.stat()
    if stat.st_size < KEEP_FROM_BYTES:
        return digest.of_file(path)
    looks = {
        "device": stat.st_dev,
        "inode": stat.st_ino,
        "size": stat.st_size,
        "modified_ns": stat.st_mtime_ns,
        "changed_ns": stat.st_ctime_ns,
    }
    samples = _samples(path, stat.st_size)
    for entry in _kept():
        if entry.samples == samples and entry.model_dump(include=set(looks)) == looks:
            return entry.digest
    settled = time.time() - max(stat.st_ctime, stat.st_mtime) > SETTLED_S
    computed = digest.of_file(path)
    after = path.stat()
    if settled and (after.st_size, after.st_ctime_ns) == (stat.st_size, stat.st_ctime_ns):
        _keep(_FileDigest(**looks, samples=samples, digest=computed))
    return computed


def _adapter_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """An adapter's config without where its base was, and its lists of module names sorted: PEFT writes sets."""
    kept = {key: value for key, value in settings.items() if key not in _WHERE_FROM}
    for key in _SETS:
        names = kept.get(key)
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            kept[key] = sorted(names)
    return kept


def _settings_digest(path: Path) -> str:
    """Digest of a small file; of an adapter's config without where its base was."""
    if path.name == ADAPTER_CONFIG:
        with contextlib.suppress(ValueError, RecursionError):
            settings = json.loads(path.read_bytes())
            if isinstance(settings, dict):
                return digest.of_value(_adapter_settings(settings))
    return file_digest(path)


def _require_shards(folder: Path, index: Path) -> None:
    """Refuse an index that names shards which are not there."""
    try:
        shards: object = json.loads(index.read_bytes()).get("weight_map", {})
        names = set(map(str, shards.values())) if isinstance(shards, Mapping) else set()
    except (ValueError, AttributeError, RecursionError):
        raise MedctxError(f"{index} is not an index of weights; copy the model again.") from None
    missing = sorted(name for name in names if not (folder / name).is_file())
    if missing:
        raise MedctxError(
            f"The model folder {folder} lacks {missing[0]}, which {index.name} names ({len(missing)} of {len(names)} "
            "weight files are missing); copy the model again."
        )


def _require_weights(folder: Path, files: list[Path]) -> None:
    if any(is_weights(path.name) for path in files):
        for path in files:
            if path.name.endswith(".index.json"):
                _require_shards(folder, path)
        return
    others = sorted(path.name for path in folder.iterdir() if _matches(path.name, _OTHER_FORMATS))
    contents = f"; {', '.join(others[:3])} cannot be identified" if others else ""
    raise MedctxError(
        f"The model folder {folder} holds no weights in safetensors, PyTorch (.bin, .pt, .pth) or GGUF{contents}; save "
        "the model in one of these formats."
    )


def model_digest(folder: Path) -> str:
    """Return the digest that identifies a model or an adapter by everything that can change its answers.

    Args:
        folder: A model folder, or the folder of a PEFT adapter (weights and ``adapter_config.json``).

    Returns:
        A hex digest of the names and contents of ``identifying_files``.

    Raises:
        MedctxError: If the folder or a file cannot be read, or it holds no weights that can be identified.
    """
    try:
        files = identifying_files(folder)
        _require_weights(folder, files)
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            digests = list(pool.map(_settings_digest, files))
    except OSError as error:
        raise MedctxError(
            f"The model folder {folder} cannot be read ({error.strerror}: {error.filename}); give a readable folder."
        ) from None
    return digest.of_value(
        [[path.relative_to(folder).as_posix(), file] for path, file in zip(files, digests, strict=True)]
    )


def require_digest(folder: Path, expected: str) -> str:
    """Return the digest of a folder; raises MedctxError if it is not the ``expected`` one ("": any)."""
    actual = model_digest(folder)
    if expected and expected != actual:
        raise MedctxError(
            f"The files in {folder} have the digest {actual[: digest.SHORT]}, not {expected[: digest.SHORT]} as given: "
            "the model was changed since; give the folder of the model that is meant, or leave the digest out."
        )
    return actual
