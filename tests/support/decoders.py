"""The table of architectures: every decoder here is trained, merged, repaired and examined in tests, or refused.

All are tiny and random. Sliding windows are 8 tokens, so that every prompt is longer.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig, PreTrainedModel

_SIZES: dict[str, object] = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 1024,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_WINDOW: dict[str, object] = {"sliding_window": 8}
_LOCAL: dict[str, object] = {"num_local_experts": 4, "num_experts_per_tok": 2}
_EXPERTS: dict[str, object] = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
_IDS: dict[str, object] = {"vocab_size": 260, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_GPT2: dict[str, object] = {**_IDS, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 1024}
_LINEAR: dict[str, object] = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "layer_types": ["linear_attention", "full_attention"],
}
_FALCON = {name: size for name, size in _SIZES.items() if name != "head_dim"}
_MIXED = {"layer_types": ["sliding_attention", "full_attention"]}


class Architecture(NamedTuple):
    """A tiny decoder.

    Attributes:
        model_type: transformers' name of the architecture.
        sizes: Values of its config.
        has_tree: Whether the transformers engine computes continuations as a tree; else each prompt whole.
        positions: Longest sequence; 0 if the architecture states none.
        scales: Whether `medctx-train repair arm=scale` scales its adapters. Refused are those on Conv1D layers, which
            are stored transposed, on stacked experts, and on models that are stored under other names than those of
            their modules; such adapters are merged, and checkpoints interpolated.
    """

    model_type: str
    sizes: dict[str, object]
    has_tree: bool = True
    positions: int = 1024
    scales: bool = True


ARCHITECTURES: dict[str, Architecture] = {
    "llama": Architecture("llama", _SIZES),
    "qwen2": Architecture("qwen2", {**_SIZES, **_WINDOW, "use_sliding_window": True, **_MIXED}),
    "qwen2_moe": Architecture("qwen2_moe", {**_SIZES, **_EXPERTS, "shared_expert_intermediate_size": 24}),
    "qwen3": Architecture("qwen3", _SIZES),
    "qwen3_moe": Architecture("qwen3_moe", {**_SIZES, **_EXPERTS}, scales=False),
    "qwen3_next": Architecture(
        "qwen3_next",
        {**_SIZES, **_EXPERTS, **_LINEAR, "shared_expert_intermediate_size": 24},
        has_tree=False,
        scales=False,
    ),
    "gemma": Architecture("gemma", _SIZES),
    "gemma2": Architecture("gemma2", {**_SIZES, **_WINDOW, **_MIXED, "query_pre_attn_scalar": 8}),
    "gemma3_text": Architecture("gemma3_text", {**_SIZES, **_WINDOW, **_MIXED, "query_pre_attn_scalar": 8}),
    "mistral": Architecture("mistral", {**_SIZES, **_WINDOW}),
    "ministral": Architecture("ministral", {**_SIZES, **_WINDOW, **_MIXED}),
    "mixtral": Architecture("mixtral", {**_SIZES, **_LOCAL, **_WINDOW}, scales=False),
    "phi": Architecture("phi", _SIZES),
    "phi3": Architecture("phi3", {**_SIZES, **_WINDOW}),
    "gpt2": Architecture("gpt2", _GPT2, scales=False),
    "gpt_neo": Architecture(
        "gpt_neo",
        {
            **_IDS,
            "hidden_size": 32,
            "num_layers": 2,
            "num_heads": 4,
            "window_size": 8,
            "attention_types": [[["global", "local"], 1]],
            "max_position_embeddings": 1024,
        },
        has_tree=False,
    ),
    "gpt_neox": Architecture("gpt_neox", _SIZES),
    "gptj": Architecture("gptj", {**_GPT2, "rotary_dim": 4}),
    "gpt_bigcode": Architecture("gpt_bigcode", _GPT2),
    "falcon": Architecture("falcon", {**_FALCON, "new_decoder_architecture": True, "num_kv_heads": 2}),
    "falcon-alibi": Architecture("falcon", {**_FALCON, "alibi": True}, has_tree=False),
    "bloom": Architecture("bloom", {**_IDS, "hidden_size": 32, "n_layer": 2, "n_head": 4}, False, 0),
    "mpt": Architecture("mpt", {**_IDS, "d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 1024}, False),
    "opt": Architecture("opt", {**_SIZES, "ffn_dim": 48, "word_embed_proj_dim": 32}),
    "olmo": Architecture("olmo", _SIZES),
    "olmo2": Architecture("olmo2", _SIZES),
    "olmo3": Architecture("olmo3", {**_SIZES, **_WINDOW, **_MIXED}),
    "cohere": Architecture("cohere", _SIZES),
    "cohere2": Architecture("cohere2", {**_SIZES, **_WINDOW, **_MIXED}),
    "stablelm": Architecture("stablelm", _SIZES),
    "starcoder2": Architecture("starcoder2", {**_SIZES, **_WINDOW}),
    "granite": Architecture("granite", _SIZES),
    "granitemoe": Architecture("granitemoe", {**_SIZES, **_LOCAL}),
    "smollm3": Architecture("smollm3", _SIZES),
    "gpt_oss": Architecture("gpt_oss", {**_SIZES, **_LOCAL, **_WINDOW, **_MIXED}),
    "glm4": Architecture("glm4", _SIZES),
    "exaone4": Architecture("exaone4", {**_SIZES, **_WINDOW, **_MIXED}),
    "ernie4_5": Architecture("ernie4_5", _SIZES),
    "lfm2": Architecture("lfm2", {**_SIZES, "layer_types": ["conv", "full_attention"]}, has_tree=False),
    "mamba": Architecture("mamba", {**_IDS, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}, False, 0),
    "mamba2": Architecture(
        "mamba2",
        {
            **_IDS,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "state_size": 8,
            "num_heads": 8,
            "head_dim": 8,
            "n_groups": 2,
        },
        False,
        0,
    ),
    "falcon_h1": Architecture(
        "falcon_h1",
        {**_SIZES, "mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8},
        has_tree=False,
    ),
    "nested gemma3": Architecture(
        "gemma3",
        {
            "text_config": {**_SIZES, **_WINDOW, **_MIXED, "query_pre_attn_scalar": 8},
            "vision_config": {
                "hidden_size": 16,
                "intermediate_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "image_size": 16,
                "patch_size": 8,
            },
            "mm_tokens_per_image": 4,
        },
        scales=False,
    ),
}
TEMPLATE = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
DIVERSE = ("llama", "qwen3_next", "gemma3_text", "mixtral", "gpt2", "bloom", "gpt_oss", "mamba2")
"""Architectures that every run of the tests takes; the others are slow."""


def config_of(name: str) -> PreTrainedConfig:
    """The config of an architecture of the table."""
    architecture = ARCHITECTURES[name]
    config: PreTrainedConfig = AutoConfig.for_model(architecture.model_type, **architecture.sizes)
    return config


def random_decoder(name: str) -> PreTrainedModel:
    """A model in float32 whose weights are large enough for every part to matter."""
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config_of(name))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim >= 2:
                weight.mul_(3)
    return model.float().eval()


def save_decoder(name: str, tokenizer: Path, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Save the model of an architecture with a tokenizer of one token a byte."""
    random_decoder(name).to(dtype).save_pretrained(folder)
    tokens = AutoTokenizer.from_pretrained(tokenizer)
    tokens.chat_template = TEMPLATE
    tokens.save_pretrained(folder)
    return folder
