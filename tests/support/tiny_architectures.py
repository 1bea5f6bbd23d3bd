"""Tiny models of many architectures with random weights, large enough for every part to matter."""

from __future__ import annotations

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

SIZES: dict[str, object] = {
    "vocab_size": 256,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
}
MOE: dict[str, object] = {"num_local_experts": 4, "num_experts_per_tok": 2}
GPT2: dict[str, object] = {"vocab_size": 256, "n_embd": 64, "n_layer": 4, "n_head": 4, "pad_token_id": 0}
SEPARATING: dict[str, dict[str, object]] = {
    "llama": SIZES,
    "gpt_neox": SIZES,
    "gpt2": GPT2,
    "qwen3": SIZES,
    "phi3": SIZES,
    "gemma2": {**SIZES, "sliding_window": 8},
    "mixtral": {**SIZES, **MOE},
    "lfm2": SIZES,
}
"""Architectures that keep packed samples apart."""
QWEN3_NEXT: dict[str, object] = {
    **SIZES,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 48,
    "shared_expert_intermediate_size": 48,
}
FALCON: dict[str, object] = {
    "vocab_size": 256,
    "hidden_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "pad_token_id": 0,
}
LEAKING: dict[str, tuple[str, dict[str, object]]] = {
    "qwen3_next": ("qwen3_next", QWEN3_NEXT),
    "falcon-alibi": ("falcon", {**FALCON, "alibi": True}),
    "bloom": ("bloom", {"vocab_size": 256, "hidden_size": 64, "n_layer": 4, "n_head": 4, "pad_token_id": 0}),
    "mpt": ("mpt", {"vocab_size": 256, "d_model": 64, "n_layers": 4, "n_heads": 4, "pad_token_id": 0}),
    "mamba": ("mamba", {**SIZES, "state_size": 8}),
    "jamba": ("jamba", {**SIZES, "num_experts": 4, "mamba_dt_rank": 8, "use_mamba_kernels": False}),
    "gpt_oss": ("gpt_oss", {**SIZES, **MOE, "sliding_window": 8}),
    "opt": ("opt", {**SIZES, "ffn_dim": 96, "word_embed_proj_dim": 64}),
}
"""Architectures in which a packed sample depends on those before it, by name: model type and config."""


def tiny_model(
    model_type: str, sizes: dict[str, object], dtype: torch.dtype = torch.float32, seed: int = 0
) -> PreTrainedModel:
    config = AutoConfig.for_model(model_type, **sizes)
    torch.manual_seed(seed)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim >= 2:
                weight.mul_(3)
    return model.to(dtype).eval()  # type: ignore[arg-type]
