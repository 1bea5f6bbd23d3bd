"""A model's identity: every byte that can change an answer counts, and nothing else does."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from medctx.errors import MedctxError
from medctx.io import digest
from medctx.model import identity
from medctx.model.identity import model_digest, require_digest

CONFIGS: dict[str, dict[str, object]] = {
    "config.json": {"rope_theta": 10_000.0, "rope_scaling": {"type": "yarn", "factor": 4}, "vocab_size": 512},
    "generation_config.json": {"eos_token_id": [1, 2], "temperature": 0.6},
    "tokenizer_config.json": {"chat_template": "{{ messages }}", "add_bos_token": True},
    "tokenizer.json": {"model": {"vocab": {"a": 0}, "merges": []}},
    "special_tokens_map.json": {"eos_token": "</s>"},
    "adapter_config.json": {"lora_alpha": 16, "r": 8, "target_modules": ["q_proj"]},
    "rope.json": {"rope_parameters": {"rope_type": "yarn"}, "max_position_embeddings": 4096},
}
RAW = {
    "model-00001-of-00002.safetensors": b"first shard",
    "model-00002-of-00002.safetensors": b"second shard",
    "pytorch_model.bin": b"weights of torch",
    "consolidated.00.pth": b"other weights of torch",
    "adapter_model.bin": b"an adapter",
    "model-q8.gguf": b"GGUF weights",
    "chat_template.jinja": b"{% for message in messages %}",
    "additional_chat_templates/tools.jinja": b"{{ tools }}",
    "tokenizer.model": b"sentencepiece",
    "merges.txt": b"a b",
    "modeling_own.py": b"class Model: pass",
    "model.safetensors.index.json": json.dumps(
        {"weight_map": {"w": "model-00001-of-00002.safetensors", "v": "model-00002-of-00002.safetensors"}}
    ).encode(),
}
WITHOUT_EFFECT = {
    "README.md": b"text",
    "LICENSE": b"text",
    "optimizer.pt": b"state",
    "optimizer.bin": b"state",
    "training_args.bin": b"arguments",
    "trainer_state.json": b"{}",
    "sft.json": b"{}",
    "merge.json": b"{}",
}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def all_files() -> dict[str, bytes]:
    return {**RAW, **{name: json.dumps(values).encode() for name, values in CONFIGS.items()}}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write(tmp_path / "model", all_files())


@cache
def digest_of_all_files() -> str:
    with tempfile.TemporaryDirectory() as scratch:
        return model_digest(write(Path(scratch), all_files()))


@given(data=some.data())
def test_one_byte_of_any_file_changes_the_identity(data: some.DataObject) -> None:
    files = all_files()
    name = data.draw(some.sampled_from(sorted(set(RAW) - {"model.safetensors.index.json"})))
    place = data.draw(some.integers(0, len(files[name]) - 1))
    flipped = bytearray(files[name])
    flipped[place] ^= 1 << data.draw(some.integers(0, 7))
    with tempfile.TemporaryDirectory() as scratch:
        after = model_digest(write(Path(scratch), {**files, name: bytes(flipped)}))
    assert after != digest_of_all_files()


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, values in CONFIGS.items() for key in values])
def test_one_value_of_any_config_changes_the_identity(model: Path, name: str, key: str) -> None:
    before = model_digest(model)
    (model / name).write_text(json.dumps({**CONFIGS[name], key: "another"}))
    assert model_digest(model) != before


@pytest.mark.parametrize("name", sorted(set(RAW) | set(CONFIGS)))
def test_a_file_that_is_missing_or_renamed_changes_the_identity(model: Path, name: str) -> None:
    before = model_digest(model)
    (model / "model.safetensors.index.json").unlink()
    assert model_digest(model) != before
    before = model_digest(model)
    if name != "model.safetensors.index.json":
        (model / name).unlink()
        assert model_digest(model) != before


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_files_that_no_engine_reads_do_not_count(model: Path, name: str) -> None:
    before = model_digest(model)
    (model / name).write_bytes(WITHOUT_EFFECT[name])
    assert model_digest(model) == before


def test_a_copy_elsewhere_and_links_to_a_store_are_the_same_model(model: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    for file in model.rglob("*"):
        if file.is_file():
            target = linked / file.relative_to(model)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(file)
    shutil.copytree(model, tmp_path / "copy")
    assert model_digest(model) == model_digest(tmp_path / "copy") == model_digest(linked)


def test_where_the_base_of_an_adapter_was_does_not_count(tmp_path: Path) -> None:
    digests = set()
    for base in ("/machine/one/base", "/machine/two/base"):
        settings = json.dumps({**CONFIGS["adapter_config.json"], "base_model_name_or_path": base}).encode()
        files = {"adapter_config.json": settings, "adapter_model.safetensors": b"weights"}
        digests.add(model_digest(write(tmp_path / "adapter", files)))
    assert len(digests) == 1


def test_the_order_of_module_names_does_not_count(tmp_path: Path) -> None:
    digests = set()
    for number, names in enumerate((["q_proj", "v_proj"], ["v_proj", "q_proj"])):
        settings = json.dumps({**CONFIGS["adapter_config.json"], "target_modules": names}).encode()
        files = {"adapter_config.json": settings, "adapter_model.safetensors": b"weights"}
        digests.add(model_digest(write(tmp_path / str(number), files)))
    assert len(digests) == 1


def test_weights_that_cannot_be_identified_are_refused_by_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "flax", {"config.json": b"{}", "flax_model.msgpack": b"weights"})
    with pytest.raises(MedctxError, match=r"holds no weights in safetensors.*flax_model\.msgpack cannot be identified"):
        model_digest(folder)
    with pytest.raises(MedctxError, match="cannot be read"):
        model_digest(tmp_path / "nowhere")


def test_a_shard_that_its_index_names_must_be_there(model: Path) -> None:
    (model / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(MedctxError, match=r"lacks model-00002-of-00002\.safetensors.*1 of 2 weight files are missing"):
        model_digest(model)


def test_a_digest_that_is_given_is_checked(model: Path) -> None:
    assert require_digest(model, "") == require_digest(model, model_digest(model)) == model_digest(model)
    with pytest.raises(MedctxError, match="the model was changed since"):
        require_digest(model, "0" * 64)


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that counts as large and as unchanged for long enough."""
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(identity, "KEEP_FROM_BYTES", 1024)
    monkeypatch.setattr(identity, "SETTLED_S", -1.0)
    file = tmp_path / "model.safetensors"
    file.write_bytes(bytes(range(256)) * 4096)
    return file


def test_a_large_file_is_hashed_once(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = identity.file_digest(large)
    assert first == digest.of_file(large)
    monkeypatch.setattr(digest, "of_file", lambda path: pytest.fail("hashed again"))
    assert identity.file_digest(large) == first


def test_a_file_changed_within_and_dated_back_is_hashed_again(large: Path) -> None:
    before = large.stat()
    first = identity.file_digest(large)
    with large.open("r+b") as stream:
        stream.seek(300_001)
        stream.write(b"\xff\xfe")
    os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert identity.file_digest(large) == digest.of_file(large) != first


def test_times_alone_are_not_trusted(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that tells no change: the samples do."""
    looks = large.stat()
    first = identity.file_digest(large)
    large.write_bytes(large.read_bytes()[::-1])
    monkeypatch.setattr(Path, "stat", lambda self, **_: looks)
    assert identity.file_digest(large) != first


def test_a_file_that_was_just_written_is_not_kept(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "SETTLED_S", 60.0)
    identity.file_digest(large)
    assert not (large.parent / "cache" / identity.CACHE_FILE).exists()


def test_a_damaged_cache_and_one_that_cannot_be_written_cost_time_only(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = large.parent / "cache"
    cache.mkdir()
    (cache / identity.CACHE_FILE).write_bytes(b'{"torn\n\xff\xfe\n')
    assert identity.file_digest(large) == digest.of_file(large)
    monkeypatch.setenv("MEDCTX_CACHE", "/dev/null/nowhere")
    assert identity.file_digest(large) == digest.of_file(large)
