"""An adapter trained with scaled positions is examined with them, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.io.jsonl import write_record
from medctx.model import rope as positions
from medctx_eval.engines.transformers import TransformersEngine
from medctx_eval.engines.vllm import VllmServer

pytest.importorskip("peft")


@pytest.fixture(scope="module")
def adapter(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("adapter")
    model = AutoModelForCausalLM.from_pretrained(tiny)
    get_peft_model(model, LoraConfig(r=2, target_modules="all-linear")).save_pretrained(folder)
    scaled = positions.RopeOverrides(
        rope_parameters={"rope_theta": 1e4, "rope_type": "linear", "factor": 2.0}, max_position_embeddings=8192
    )
    write_record(folder / positions.FILE, scaled)
    return folder


def test_the_reference_engine_scales_the_base_of_such_an_adapter(tiny: Path, adapter: Path) -> None:
    assert TransformersEngine.load(tiny).max_positions == 4096
    assert TransformersEngine.load(tiny, adapter).max_positions == 8192


def test_a_server_is_not_asked_to_hot_load_such_an_adapter(adapter: Path) -> None:
    server = VllmServer.__new__(VllmServer)
    server._scaled = False
    with pytest.raises(MedctxError, match=r"trained with scaled positions.* merge it first"):
        server.load_adapter("a", adapter)
