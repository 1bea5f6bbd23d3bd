"""Base + adapter as a checkpoint: the same function, rounded once, in little memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from medctx.errors import MedctxError
from medctx.schemas.sft import MERGE_FILE
from medctx.text import tokenizer
from medctx_train.checkpoints import adapter as adapters
from medctx_train.checkpoints import merge as merging
from medctx_train.checkpoints.lora_math import merged_weight
from medctx_train.checkpoints.merge import MergeConfig, merge
from medctx_train.checkpoints.sharded import INDEX, open_checkpoint, write_checkpoint
from tests.support.made_adapters import adapted, gap, logits, make, whole

KINDS: dict[str, dict[str, object]] = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "patterns": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 32}},
    "embedding": {"target_modules": ["embed_tokens", "q_proj"]},
    "head": {"target_modules": ["lm_head", "v_proj"]},
    "bias": {"target_modules": ["q_proj", "v_proj"], "bias": "lora_only", "lora_bias": True},
    "saved": {"modules_to_save": ["norm"]},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_merged_model_does_what_the_adapter_does(kind: str, strong: Path, tmp_path: Path) -> None:
    adapter = make(strong, tmp_path / "run", **KINDS[kind])
    out = merge(MergeConfig(adapter=adapter), tmp_path / "merged")
    assert gap(logits(whole(out)), logits(whole(strong))) > 0.1, "the adapter must change something"
    assert gap(logits(whole(out)), logits(adapted(strong, adapter))) < 1e-3
    assert tokenizer.load_tokenizer(out).chat_template == tokenizer.load_tokenizer(strong).chat_template


def test_a_head_tied_to_the_embedding_is_parted_where_the_adapter_changes_one(strong: Path, tmp_path: Path) -> None:
    adapter = make(strong, tmp_path / "run", target_modules=["embed_tokens"])
    out = merge(MergeConfig(adapter=adapter), tmp_path / "merged")
    stored = load_file(out / "model.safetensors")
    assert json.loads((out / "config.json").read_text())["tie_word_embeddings"] is False
    assert stored["lm_head.weight"].equal(load_file(strong / "model.safetensors")["model.embed_tokens.weight"])
    other = merge(MergeConfig(adapter=make(strong, tmp_path / "plain")), tmp_path / "other")
    assert "lm_head.weight" not in load_file(other / "model.safetensors")


def test_the_sum_is_rounded_once(tiny: Path, tmp_path: Path) -> None:
    """Nothing is lost but the last rounding to bfloat16: every weight is the nearest to the sum in float32."""
    adapter = make(tiny, tmp_path / "run")
    out = load_file(merge(MergeConfig(adapter=adapter), tmp_path / "merged") / "model.safetensors")
    base = load_file(tiny / "model.safetensors")
    pairs = adapters.load_adapter(adapter).pairs
    for name, weight in out.items():
        pair = pairs.get(name.removesuffix(".weight"))
        assert weight.dtype == torch.bfloat16
        assert weight.equal(base[name] if pair is None else merged_weight(base[name], pair).bfloat16())


def test_a_base_in_shards_is_merged_shard_by_shard(strong: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    with open_checkpoint(strong) as source:
        write_checkpoint(source, strong, parts, shard_bytes=50_000)
    assert len(list(parts.glob("model-*.safetensors"))) > 3
    adapter = make(parts, tmp_path / "run")
    out = merge(MergeConfig(adapter=adapter), tmp_path / "merged")
    assert gap(logits(whole(out)), logits(adapted(strong, adapter))) < 1e-3
    next(iter(sorted(parts.glob("model-*.safetensors")))).unlink()
    with pytest.raises(MedctxError, match="lacks the shard"), open_checkpoint(parts):
        pass


class Counting:
    """A source that counts how often each tensor is read, and how many bytes are held at most in a shard."""

    def __init__(self, source: object) -> None:
        self.source = source
        self.reads: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.source, name)

    def read(self, name: str) -> torch.Tensor:
        self.reads.append(name)
        result: torch.Tensor = self.source.read(name)  # type: ignore[attr-defined]
        return result


def test_each_tensor_is_read_once_and_no_shard_is_larger_than_told(strong: Path, tmp_path: Path) -> None:
    with open_checkpoint(strong) as stored:
        source = Counting(stored)
        write_checkpoint(source, strong, tmp_path, shard_bytes=40_000)  # type: ignore[arg-type]
        assert sorted(source.reads) == sorted(stored.specs)
        largest = max(spec.bytes for spec in stored.specs.values())
    for file in tmp_path.glob("model-*.safetensors"):
        assert sum(tensor.nbytes for tensor in load_file(file).values()) <= max(40_000, largest)
    index = json.loads((tmp_path / INDEX).read_text())["weight_map"]
    assert {name for file in set(index.values()) for name in load_file(tmp_path / file)} == set(index)


def test_what_is_merged_is_not_merged_again_and_another_is_not_overwritten(strong: Path, tmp_path: Path) -> None:
    first, second = make(strong, tmp_path / "one"), make(strong, tmp_path / "two", seed=1)
    out = merge(MergeConfig(adapter=first), tmp_path / "merged")
    written = (out / MERGE_FILE).stat().st_mtime_ns
    assert merge(MergeConfig(adapter=first), out) == out
    assert (out / MERGE_FILE).stat().st_mtime_ns == written
    with pytest.raises(MedctxError, match="holds another model"):
        merge(MergeConfig(adapter=second), out)


def test_a_merge_that_is_stopped_leaves_no_model(strong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = make(strong, tmp_path / "run")
    out = tmp_path / "merged"
    out.mkdir()
    (out / "step.yaml").write_text("kept: true\n")

    def stopped(folder: Path, adapter: object, whole: Path) -> None:
        whole.mkdir()
        shutil.copyfile(folder / "config.json", whole / "config.json")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(merging, "write_merged", stopped)
        with pytest.raises(KeyboardInterrupt):
            merge(MergeConfig(adapter=adapter), out)
    assert [path.name for path in out.iterdir()] == ["step.yaml"]
    merge(MergeConfig(adapter=adapter), out)
    assert {"step.yaml", "config.json", "model.safetensors", "tokenizer.json"} <= {path.name for path in out.iterdir()}


def test_an_adapter_of_another_base_is_refused(strong: Path, tiny: Path, tmp_path: Path) -> None:
    adapter = make(strong, tmp_path / "run")
    with pytest.raises(MedctxError, match=r"was trained on .* set base to the model it was trained on"):
        merge(MergeConfig(base=str(tiny), adapter=adapter), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_an_adapter_that_was_moved_still_knows_its_base(strong: Path, tiny: Path, tmp_path: Path) -> None:
    adapter = adapters.load_adapter(make(strong, tmp_path / "run"))
    _, card = adapters.base_of(adapter, "")
    adapters.save_adapter(tmp_path / "elsewhere", adapter, adapter.pairs, card, adapter.settings)
    moved = adapters.load_adapter(tmp_path / "elsewhere")
    assert moved.digest == adapter.digest
    with pytest.raises(MedctxError, match="was trained on"):
        adapters.base_of(moved, str(tiny))


def test_an_adapter_is_merged_into_its_base_but_not_into_a_quantised_one(strong: Path, tmp_path: Path) -> None:
    quantised = tmp_path / "quantised"
    shutil.copytree(strong, quantised)
    config = json.loads((strong / "config.json").read_text())
    (quantised / "config.json").write_text(json.dumps({**config, "quantization_config": {"load_in_4bit": True}}))
    adapter = make(strong, tmp_path / "run")
    with pytest.raises(MedctxError, match="was trained on"):
        merge(MergeConfig(base=str(quantised), adapter=adapter), tmp_path / "no")
    without_record = shutil.copytree(adapter, tmp_path / "adapter")
    with pytest.raises(MedctxError, match="is quantised"):
        merge(MergeConfig(base=str(quantised), adapter=without_record), tmp_path / "no")
    merge(MergeConfig(base=str(strong), adapter=adapter), tmp_path / "merged")


@pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_folder_that_is_no_adapter_is_one_sentence(missing: str, strong: Path, tmp_path: Path) -> None:
    adapter = make(strong, tmp_path / "run")
    (adapter / missing).unlink()
    with pytest.raises(MedctxError, match=missing):
        merge(MergeConfig(adapter=adapter), tmp_path / "merged")
