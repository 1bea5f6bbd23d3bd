"""An adapter keeps the chat template it was trained with, and what is made of it has that template."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from medctx.schemas.sft import SFT_FILE, BaseCard
from medctx.text import tokenizer
from medctx.text.chat_templates import CHAT_TEMPLATES, TEMPLATE_FILE, adapter_template
from medctx_train.checkpoints.export import save_weights
from medctx_train.checkpoints.merge import MergeConfig, merge
from medctx_train.repair.config import ScaleConfig
from medctx_train.repair.scale import prepare
from tests.support.made_adapters import make

OWN = "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}"


@pytest.mark.parametrize("chosen", ["plain", "file", ""])
def test_the_template_of_a_training_is_written_beside_the_adapter(chosen: str, tiny: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.jinja"
    file.write_text(OWN)
    base = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32)
    model = get_peft_model(base, LoraConfig(target_modules=["q_proj"]))
    card = BaseCard(name="tiny", source="made", licence="none", weights_digest="0" * 64, id="tiny")
    out = tmp_path / "adapter"
    save_weights(out, Accelerator(cpu=True), model, "lora", tiny, card, str(file) if chosen == "file" else chosen)
    written = {"plain": CHAT_TEMPLATES["plain"], "file": OWN, "": None}[chosen]
    assert ((out / TEMPLATE_FILE).read_text() if (out / TEMPLATE_FILE).exists() else None) == written
    assert bool(adapter_template(out)) == bool(chosen)


def test_what_is_made_of_an_adapter_has_its_template(strong: Path, tmp_path: Path) -> None:
    adapter = make(strong, tmp_path / "run")
    (adapter / TEMPLATE_FILE).write_text(OWN)
    (adapter.parent / SFT_FILE).unlink()  # it states the digest of the adapter without the template
    merged = merge(MergeConfig(adapter=adapter, base=str(strong)), tmp_path / "merged")
    assert tokenizer.load_tokenizer(merged).chat_template == OWN
    prepare(ScaleConfig(adapter=adapter, base=str(strong), alpha=0.5, write="model")).write(tmp_path / "model")
    assert tokenizer.load_tokenizer(tmp_path / "model").chat_template == OWN
    prepare(ScaleConfig(adapter=adapter, base=str(strong), alpha=0.5)).write(tmp_path / "scaled")
    assert (tmp_path / "scaled" / TEMPLATE_FILE).read_text() == OWN
