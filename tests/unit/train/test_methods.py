"""What is trained of a model, and what is put into it: adapters, noise, positions, precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from pydantic import ValidationError
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, Phi3Config, PreTrainedModel

from medctx.errors import MedctxError
from medctx.model import rope as positions
from medctx.text import tokenizer
from medctx_train.config import SftConfig
from medctx_train.data.packing import PackedRow, row_tensors
from medctx_train.data.tokenize import EncodedSample, encode
from medctx_train.model import liger, rope
from medctx_train.model import load as model
from medctx_train.model.config import RopeSettings
from medctx_train.model.load import load_config, load_model
from medctx_train.model.lora import target_modules
from medctx_train.model.loss import row_losses
from medctx_train.model.neftune import add_neftune, noise_bounds
from medctx_train.sft.setup import set_up_model, trainable_parameters, write_rope_overrides
from tests.support.made_training import dialogue
from tests.support.tiny_architectures import LEAKING, SIZES, tiny_model


@pytest.fixture(scope="module")
def rows(tiny: Path) -> list[PackedRow]:
    tokens = tokenizer.load_tokenizer(tiny)
    return [PackedRow(tuple(encode(tokens, dialogue(n + 3 * number))[0] for n in range(3))) for number in range(2)]


def trainee(tiny: Path, rows: list[PackedRow], **changes: object) -> torch.nn.Module:
    values = {"base": str(tiny), "autocast": "no", "lora": {"rank": 4, "alpha": 8}}
    config = SftConfig.model_validate({**values, **changes})
    return set_up_model(config, tiny, rows, Accelerator(cpu=True), seed=config.seed)[0]


def adapted(tiny: Path, rows: list[PackedRow], **lora: object) -> set[str]:
    result = trainee(tiny, rows, lora={"rank": 4, "alpha": 8, **lora})
    return {name.rpartition(".lora_")[0].rpartition(".")[2] for name in trainable_parameters(result)}


ALL = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@pytest.mark.parametrize(
    ("targets", "modules"),
    [("all-linear", ALL), ("query-key", {"q_proj", "k_proj"}), (["v_proj", "mlp.up_proj"], {"v_proj", "up_proj"})],
)
def test_adapters_stand_where_they_are_told(
    tiny: Path, rows: list[PackedRow], targets: object, modules: set[str]
) -> None:
    assert adapted(tiny, rows, targets=targets) == modules


def small(kind: type[GPT2Config] | type[Phi3Config]) -> PreTrainedModel:
    sizes = {"vocab_size": 64, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "pad_token_id": 0}
    return AutoModelForCausalLM.from_config(kind(**sizes, intermediate_size=16))


@pytest.mark.parametrize(("kind", "module"), [(GPT2Config, "c_attn"), (Phi3Config, "qkv_proj")])
def test_query_and_key_in_one_module_are_refused(kind: type[GPT2Config], module: str) -> None:
    with pytest.raises(MedctxError, match=rf"in one module \({module}\)"):
        target_modules(small(kind), "query-key")


def test_a_module_that_is_not_there_is_refused_with_those_that_are(tiny: Path) -> None:
    with pytest.raises(MedctxError, match=r"names 'query_proj'.* are: down_proj, .*, v_proj"):
        target_modules(load_model(tiny), ("query_proj",))


def test_dora_trains_magnitudes_beside_the_pairs(tiny: Path, rows: list[PackedRow]) -> None:
    result = trainable_parameters(trainee(tiny, rows, lora={"rank": 4, "alpha": 8, "use_dora": True}))
    assert any("lora_magnitude_vector" in name for name in result)


def test_rslora_scales_by_the_root_of_the_rank(tiny: Path, rows: list[PackedRow]) -> None:
    result = trainee(tiny, rows, lora={"rank": 16, "alpha": 32, "use_rslora": True})
    scalings = {module.scaling["default"] for module in result.modules() if hasattr(module, "lora_A")}
    assert scalings == {32 / math.sqrt(16)}


def test_full_fine_tuning_trains_everything_in_float32(tiny: Path, rows: list[PackedRow]) -> None:
    result = trainee(tiny, rows, method="full")
    assert all(value.requires_grad and value.dtype == torch.float32 for value in result.parameters())


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs bitsandbytes")
def test_qlora_trains_adapters_on_four_bits(tiny: Path, rows: list[PackedRow]) -> None:
    """bitsandbytes computes NF4 on CPUs as well."""
    result = trainee(tiny, rows, method="qlora")
    quantised = [module for name, module in result.named_modules() if name.endswith(".base_layer")]
    assert len(quantised) == 2 * len(ALL)
    assert all(module.weight.quant_type == "nf4" and module.weight.quant_state.nested for module in quantised)
    row_losses(result, row_tensors(rows[0])).sum().backward()
    gradients = [value.grad for value in trainable_parameters(result).values()]
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs bitsandbytes")
def test_gradients_under_qlora_pass_through_the_quantised_layers(tiny: Path, rows: list[PackedRow]) -> None:
    """The gradients are those of the same model with its weights dequantised.

    bitsandbytes multiplies in bfloat16, whose relative rounding error is 2^-9. An adapter of the first layer has about
    15 products above it in the two passes; with independent errors the gradients agree to 15^0.5 * 2^-9 = 0.8 %, and
    the bound is six times that. Where a pass through the base has no gradient, they differ by about 100 %.
    """
    from bitsandbytes.functional import dequantize_4bit

    quantised = trainee(tiny, rows, method="qlora")
    plain = trainee(tiny, rows, autocast="no")
    plain.float()
    layers = {name: module for name, module in quantised.named_modules() if name.endswith(".base_layer")}
    for name, layer in layers.items():
        weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state).float()
        plain.get_submodule(name).weight.data = weight.view_as(plain.get_submodule(name).weight)
    gradients = []
    for state in (quantised, plain):
        torch.manual_seed(1)
        for value in trainable_parameters(state).values():
            value.data = torch.randn_like(value) * 0.05
        row_losses(state, row_tensors(rows[0])).sum().backward()
        gradients.append({name: value.grad for name, value in trainable_parameters(state).items()})
    for name, gradient in gradients[0].items():
        assert (gradient - gradients[1][name]).norm() < 0.05 * gradients[1][name].norm(), name


@pytest.mark.parametrize("name", ["bloom", "gpt_oss", "llama"])
def test_architectures_without_sdpa_are_loaded_with_their_own_attention(name: str, tmp_path: Path) -> None:
    model_type, sizes = LEAKING.get(name, (name, SIZES))
    tiny_model(model_type, sizes).save_pretrained(tmp_path)
    assert load_model(tmp_path).config._attn_implementation == ("sdpa" if name == "llama" else "eager")


def test_without_bitsandbytes_qlora_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "find_spec", lambda _: None)
    with pytest.raises(MedctxError, match="method=qlora needs the package bitsandbytes"):
        load_model(tiny, "nf4")


def test_gradient_checkpointing_changes_no_gradient(tiny: Path, rows: list[PackedRow]) -> None:
    results = []
    for checkpointing in (False, True):
        first = trainee(tiny, rows, gradient_checkpointing=checkpointing, lora={"rank": 4, "alpha": 8, "dropout": 0.2})
        with torch.no_grad():
            for value in trainable_parameters(first).values():
                value.add_(0.1)
        torch.manual_seed(5)
        row_losses(first, row_tensors(rows[0])).sum().backward()
        results.append([value.grad for value in trainable_parameters(first).values()])
    torch.testing.assert_close(results[0], results[1])


def test_noise_is_that_of_each_sample_alone() -> None:
    """alpha / sqrt(length x width), the length of the sample and not of the row."""
    sizes = noise_bounds(torch.tensor([[0, 1, 2, 0, 0, 1]]), 5.0, 16)
    lengths = torch.tensor([[3, 3, 3, 1, 2, 2]])
    torch.testing.assert_close(sizes, 5.0 / torch.sqrt(lengths * 16))


def noisy(tiny: Path, alpha: float) -> Callable[[list[PackedRow], int], torch.Tensor]:
    result = load_model(tiny, "fp32")
    add_neftune(result, alpha)

    def losses(rows: list[PackedRow], seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        with torch.no_grad():
            return row_losses(result, row_tensors(rows[0]))

    result.train()
    losses.model = result  # type: ignore[attr-defined]
    return losses


def test_noise_is_drawn_while_training_only_and_by_the_seed(tiny: Path, rows: list[PackedRow]) -> None:
    losses = noisy(tiny, 5.0)
    assert torch.equal(losses(rows, 1), losses(rows, 1))
    assert not torch.equal(losses(rows, 1), losses(rows, 2))
    losses.model.eval()  # type: ignore[attr-defined]
    with torch.no_grad():
        assert torch.equal(losses(rows, 1), row_losses(load_model(tiny, "fp32"), row_tensors(rows[0])))


def test_noise_stays_within_its_bounds(tiny: Path, rows: list[PackedRow]) -> None:
    result = load_model(tiny, "fp32")
    add_neftune(result, 5.0)
    result.train()
    clean = result.get_input_embeddings().weight
    seen: list[torch.Tensor] = []
    result.get_input_embeddings().register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    batch = row_tensors(rows[0])
    row_losses(result, batch)
    noise = (seen[0] - clean[batch.input_ids]).abs()
    bound = noise_bounds(batch.position_ids, 5.0, clean.shape[1])[..., None]
    assert (noise <= bound * 1.0001).all()
    # Uniform: half of the bound on average.
    assert float((noise / bound).detach().mean()) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("scaling", ["linear", "ntk", "yarn"])
def test_scaled_positions_reach_the_model_and_lie_beside_the_adapter(tiny: Path, tmp_path: Path, scaling: str) -> None:
    config = SftConfig.model_validate({"base": str(tiny), "rope": {"scaling": scaling, "factor": 4}})
    settled, changed = load_config(tiny, config.rope)
    scaled, plain = load_model(tiny, "fp32", config=settled), load_model(tiny, "fp32")
    assert not torch.equal(scaled.model.rotary_emb.inv_freq, plain.model.rotary_emb.inv_freq)
    assert scaled.config.max_position_embeddings == 4 * plain.config.max_position_embeddings
    tmp_path.joinpath("adapter").mkdir()
    write_rope_overrides(config.rope, tiny, tmp_path / "adapter")
    assert positions.read_overrides(tmp_path / "adapter") == changed
    # What a full checkpoint says by itself.
    scaled.save_pretrained(tmp_path / "model")
    again = load_model(tmp_path / "model")
    torch.testing.assert_close(again.model.rotary_emb.inv_freq, scaled.model.rotary_emb.inv_freq)


def test_a_sample_beyond_the_models_positions_is_refused_unless_they_are_scaled(tiny: Path) -> None:
    long = PackedRow((EncodedSample(id="long", source="s", ids=(5,) * 4_100, carries_loss=(True,) * 4_100),))
    with pytest.raises(MedctxError, match=r"'long' has 4,100 tokens, but .* has 4,096 positions.* rope.scaling"):
        trainee(tiny, [long])
    assert trainee(tiny, [long], rope={"scaling": "linear", "factor": 2}).training


def test_linear_scaling_is_slower_turning() -> None:
    result = rope.overrides(RopeSettings(scaling="linear", factor=2), AutoConfig.for_model("llama"))
    assert result is not None
    assert result.rope_parameters == {"rope_theta": 10_000.0, "rope_type": "linear", "factor": 2.0}


def test_positions_that_are_scaled_already_are_refused() -> None:
    scaled = AutoConfig.for_model("llama", rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4})
    with pytest.raises(MedctxError, match="already scaled"):
        rope.overrides(RopeSettings(scaling="yarn", factor=2), scaled)


def test_a_model_without_rotary_positions_is_refused() -> None:
    with pytest.raises(MedctxError, match="no single set of rotary positions"):
        rope.overrides(RopeSettings(scaling="yarn", factor=2), GPT2Config())


def test_scaling_and_factor_belong_together() -> None:
    with pytest.raises(ValidationError, match="both a scaling and a factor"):
        RopeSettings(scaling="yarn")


def test_liger_is_left_out_without_a_gpu_and_refused_where_it_was_asked_for(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = load_model(tiny)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert not liger.apply_liger(plain, "auto")
    with pytest.raises(MedctxError, match="liger=on needs a GPU"):
        liger.apply_liger(plain, "on")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(liger, "find_spec", lambda _: None)
    with pytest.raises(MedctxError, match="liger=on needs the package liger-kernel"):
        liger.apply_liger(plain, "on")


@pytest.mark.gpu
def test_liger_changes_no_loss(tiny: Path, rows: list[PackedRow]) -> None:
    plain, faster = (load_model(tiny, "fp32").to("cuda") for _ in range(2))
    assert liger.apply_liger(faster, "on")
    batch = row_tensors(rows[0]).to(torch.device("cuda"))
    torch.testing.assert_close(row_losses(faster, batch), row_losses(plain, batch), atol=1e-3, rtol=1e-3)
