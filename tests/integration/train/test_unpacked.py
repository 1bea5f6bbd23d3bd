"""Training without packing: the same steps, and the only way for models that do not keep packed samples apart."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from medctx.errors import MedctxError
from medctx.io.jsonl import read_record
from medctx.schemas.sft import SFT_FILE, SftManifest
from medctx.text import tokenizer
from medctx_train.data.dataset import load_data
from medctx_train.sft.run import train
from tests.support.made_training import settings
from tests.support.tiny_architectures import QWEN3_NEXT, tiny_model


@pytest.fixture(autouse=True)
def _no_tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")


@pytest.fixture(scope="module")
def hybrid(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with linear attention, in float32."""
    folder = tmp_path_factory.mktemp("hybrid") / "model"
    tiny_model("qwen3_next", {**QWEN3_NEXT, "vocab_size": 512}).save_pretrained(folder)
    tokenizer.read_tokenizer(tiny).save_pretrained(folder)
    return folder


def test_samples_processed_one_by_one_give_the_weights_of_packed_ones(strong: Path, mix: Path, tmp_path: Path) -> None:
    weights, manifests = [], []
    for packing in ("on", "off"):
        config = settings(strong, mix, packing=packing, lora={"rank": 4, "alpha": 8}, rows_per_step=2)
        manifests.append(train(config, tmp_path / packing))
        weights.append(load_file(tmp_path / packing / "adapter" / "adapter_model.safetensors"))
    packed, unpacked = manifests
    assert (packed.packed, unpacked.packed) == (True, False)
    assert (packed.steps, packed.tokens, packed.loss_tokens) == (unpacked.steps, unpacked.tokens, unpacked.loss_tokens)
    assert packed.last_loss == pytest.approx(unpacked.last_loss, abs=1e-4)
    for name, weight in weights[0].items():
        # Four AdamW steps; other shapes of products round otherwise (2^-24) and sums over a row are 256 long at most.
        assert (weight - weights[1][name]).norm() < 1e-4 * weight.norm(), name


def losses_alone(folder: Path, config: object) -> tuple[float, int]:
    """Sum of the losses of all samples, each alone, by the model itself, and their number."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    total, count = 0.0, 0
    for row in load_data(config, folder, 0).rows:  # type: ignore[arg-type]
        for member in row.members:
            ids = torch.tensor([member.ids])
            with torch.no_grad():
                logits = model(input_ids=ids).logits[0, :-1].float()
            losses = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
            mask = torch.tensor(member.carries_loss[1:])
            total, count = total + float(losses[mask].sum()), count + int(mask.sum())
    return total, count


def test_a_model_whose_state_crosses_samples_is_trained_on_each_alone(hybrid: Path, mix: Path, tmp_path: Path) -> None:
    config = settings(
        hybrid, mix, lora={"rank": 4, "targets": ["q_proj", "v_proj"]}, rows_per_step=100, learning_rate=1e-12
    )
    manifest = train(config, tmp_path / "run")
    assert not manifest.packed
    assert not read_record(tmp_path / "run" / SFT_FILE, SftManifest).packed
    total, count = losses_alone(hybrid, config)
    assert manifest.loss_tokens == count
    assert manifest.first_loss == pytest.approx(total / count, abs=1e-4)


def test_packing_such_a_model_is_refused_where_it_was_set(hybrid: Path, mix: Path, tmp_path: Path) -> None:
    config = settings(hybrid, mix, packing="on", lora={"rank": 4, "targets": ["q_proj"]})
    with pytest.raises(MedctxError, match=r"^Qwen3Next\w+ lets packed samples influence each other: .* packing=off"):
        train(config, tmp_path / "run")
