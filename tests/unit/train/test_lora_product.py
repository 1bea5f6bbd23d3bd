"""The fused LoRA layer against PEFT's own: the same numbers in float32, no worse ones in bfloat16."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.layer import Linear

from medctx_train.model.lora_product import LoraProduct, fuse_lora


class Layer(torch.nn.Module):
    """One linear layer, so that PEFT has a model to adapt."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__()
        self.proj = torch.nn.Linear(inputs, outputs, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.proj(x)
        return result


def adapted(seed: int, inputs: int, outputs: int, *, rank: int, bias: bool = False, **options: object) -> Linear:
    """A layer adapted by PEFT, with a B that is not zero."""
    torch.manual_seed(seed)
    config = LoraConfig(r=rank, lora_alpha=3 * rank, target_modules=["proj"], **options)  # type: ignore[arg-type]
    model = get_peft_model(Layer(inputs, outputs, bias=bias), config)
    layer = next(module for module in model.modules() if isinstance(module, Linear))
    torch.nn.init.normal_(weights(layer)[1])
    return layer


def weights(layer: Linear) -> tuple[torch.Tensor, torch.Tensor]:
    """A and B."""
    a, b = (half["default"].weight for half in (layer.lora_A, layer.lora_B))
    assert isinstance(a, torch.Tensor)
    assert isinstance(b, torch.Tensor)
    return a, b


def results(layer: Linear, x: torch.Tensor, grad: torch.Tensor) -> list[torch.Tensor]:
    """The layer's output and the gradients of its input, A and B."""
    x = x.clone().requires_grad_()
    output = layer(x)
    return [output, *torch.autograd.grad(output, (x, *weights(layer)), grad.to(output.dtype))]


def error(ours: torch.Tensor, truth: torch.Tensor) -> float:
    return float((ours.double() - truth.double()).norm() / truth.double().norm().clamp_min(1e-30))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**16),
    batch=st.integers(1, 3),
    tokens=st.integers(1, 40),
    inputs=st.integers(1, 70),
    outputs=st.integers(1, 70),
    rank=st.integers(1, 20),
    bias=st.booleans(),
    use_rslora=st.booleans(),
)
def test_output_and_gradients_are_those_of_peft_in_float32(
    seed: int, batch: int, tokens: int, inputs: int, outputs: int, rank: int, bias: bool, use_rslora: bool
) -> None:
    layer = adapted(seed, inputs, outputs, rank=rank, bias=bias, use_rslora=use_rslora)
    x, grad = torch.randn(batch, tokens, inputs), torch.randn(batch, tokens, outputs)
    expected = results(layer, x, grad)
    base, (a, b) = layer.base_layer, weights(layer)
    x.requires_grad_()
    output = LoraProduct.apply(x, base.weight, base.bias, a, b, layer.scaling["default"])  # type: ignore[no-untyped-call]
    ours = [output, *torch.autograd.grad(output, (x, a, b), grad)]
    for mine, theirs in zip(ours, expected, strict=True):
        assert mine.shape == theirs.shape
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5 * float(theirs.detach().abs().max()))


@pytest.mark.parametrize(("inputs", "outputs"), [(96, 160), (160, 96), (64, 64)])
def test_bfloat16_is_no_further_from_float32_than_peft(inputs: int, outputs: int) -> None:
    sums = torch.zeros(2, 4, dtype=torch.float64)
    for seed in range(8):
        layer = adapted(seed, inputs, outputs, rank=8)
        layer.base_layer.to(torch.bfloat16)
        x, grad = torch.randn(1, 128, inputs).bfloat16(), torch.randn(1, 128, outputs).bfloat16()
        exact = adapted(seed, inputs, outputs, rank=8)
        exact.base_layer.weight.data = layer.base_layer.weight.data.float()
        truth = results(exact, x.float(), grad.float())
        for number in range(2):
            with torch.autocast("cpu", torch.bfloat16):
                rounded = results(layer, x, grad)
            sums[number] += torch.tensor([error(ours, exactly) for ours, exactly in zip(rounded, truth, strict=True)])
            assert fuse_lora(layer) == 1
    peft, ours = sums
    assert bool((ours <= 1.02 * peft).all()), (peft, ours)
    assert float(ours[0]) < 0.9 * float(peft[0])


@pytest.mark.parametrize(
    "options",
    [{"use_dora": True}, {"lora_dropout": 0.1}, {"lora_bias": True, "bias": True}],
    ids=["dora", "dropout", "bias"],
)
def test_other_kinds_of_adapters_are_left_to_peft(options: dict[str, object]) -> None:
    layer = adapted(0, 8, 8, rank=2, **options)  # type: ignore[arg-type]
    layer.base_layer.to(torch.bfloat16)
    assert fuse_lora(layer) == 0


def test_float32_and_trained_bases_are_left_to_peft() -> None:
    layer = adapted(0, 8, 8, rank=2)
    assert fuse_lora(layer) == 0
    layer.base_layer.to(torch.bfloat16)
    layer.base_layer.weight.requires_grad_(True)
    assert fuse_lora(layer) == 0


def test_without_its_adapter_or_autocast_the_layer_is_as_before() -> None:
    layer = adapted(0, 8, 8, rank=2)
    layer.base_layer.to(torch.bfloat16)
    x = torch.randn(1, 4, 8).bfloat16()
    plain = layer(x)
    assert fuse_lora(layer) == 1
    assert torch.equal(layer(x), plain)
    layer.enable_adapters(False)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x), layer.base_layer(x))
