"""What no repair arm can do is refused in one sentence, and nothing is left behind."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from medctx.errors import MedctxError
from medctx.schemas.sft import REPAIR_FILE
from medctx_train.cli import main
from medctx_train.repair.config import CombineConfig, InterpolateConfig, RestoreQkConfig, ScaleConfig
from medctx_train.repair.run import repair
from tests.support.made_adapters import make, whole


@pytest.fixture(autouse=True)
def _no_tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")


def test_restoring_is_refused_where_there_is_nothing_or_all_to_restore(strong: Path, tmp_path: Path) -> None:
    values = make(strong, tmp_path / "values", target_modules=["v_proj"])
    with pytest.raises(MedctxError, match="changes no query or key"):
        repair(RestoreQkConfig(adapter=values), tmp_path / "out")
    queries = make(strong, tmp_path / "queries", target_modules=["q_proj", "k_proj"])
    with pytest.raises(MedctxError, match="restoring them gives the base itself"):
        repair(RestoreQkConfig(adapter=queries), tmp_path / "out")


def test_queries_fused_with_values_are_refused(tiny: Path, tmp_path: Path) -> None:
    from transformers import Phi3Config, Phi3ForCausalLM

    torch.manual_seed(0)
    config = Phi3Config(vocab_size=512, hidden_size=32, intermediate_size=64, num_hidden_layers=1, pad_token_id=0)
    config.num_attention_heads = config.num_key_value_heads = 2
    for name in ("base", "tuned"):
        shutil.copytree(tiny, tmp_path / name)
        Phi3ForCausalLM(config).save_pretrained(tmp_path / name)
    adapter = make(tmp_path / "base", tmp_path / "run")
    with pytest.raises(MedctxError, match=r"changes .*qkv_proj, which holds queries or keys together"):
        repair(RestoreQkConfig(adapter=adapter), tmp_path / "out")
    with pytest.raises(MedctxError, match=r"changes .*qkv_proj, which holds queries or keys together"):
        repair(RestoreQkConfig(base=str(tmp_path / "base"), tuned=str(tmp_path / "tuned")), tmp_path / "out")


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"arm": "scal"}, r"has the arm 'scal' \(did you mean 'scale'\?\)"),
    ({}, "lacks the key 'arm'; known are: scale, interpolate, combine, restore-qk"),
    ({"arm": "scale", "adapter": "a", "alpha": 1.5}, "alpha: Input should be less than or equal to 1"),
    ({"arm": "scale", "adapter": "a", "alhpa": 1}, "Unknown key 'alhpa' .*did you mean 'alpha'"),
    ({"arm": "interpolate", "t": 0.5}, "exactly one of the two"),
    ({"arm": "combine", "adapters": ["a", "b"], "method": "ties"}, "the method ties needs a density"),
    ({"arm": "combine", "adapters": ["a", "b"], "density": 0.5}, "the method cat takes no density"),
    (
        {"arm": "combine", "adapters": ["a"], "method": "ties", "density": 0.5},
        "does not apply ties to a single adapter",
    ),
    ({"arm": "combine", "adapters": ["a", "b"], "shares": [1]}, "2 adapters have 1 shares"),
    ({"arm": "restore-qk", "tuned": "a"}, "base is missing"),
    ({"arm": "scale", "adapter": "nowhere", "alpha": 1}, "nowhere holds no adapter"),
]


@pytest.mark.parametrize(("requests", "sentence"), REFUSED)
def test_a_config_that_cannot_be_is_one_sentence(requests: dict[str, object], sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "arm.yaml"
    file.write_text(json.dumps(requests))
    result = CliRunner().invoke(main, ["repair", "--config", str(file), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert re.search(sentence, result.output), result.output
    assert not (tmp_path / "out").exists()


def test_adapters_that_do_not_go_together_are_refused(strong: Path, tiny: Path, tmp_path: Path) -> None:
    runs = {"lora": make(strong, tmp_path / "lora"), "dora": make(strong, tmp_path / "dora", use_dora=True)}
    with pytest.raises(MedctxError, match="is DoRA"):
        repair(CombineConfig(adapters=(runs["dora"], runs["lora"])), tmp_path / "out")
    other = make(tiny, tmp_path / "other")
    with pytest.raises(MedctxError, match="belong to different bases"):
        repair(CombineConfig(adapters=(runs["lora"], other)), tmp_path / "out")
    with pytest.raises(MedctxError, match="was trained on"):
        repair(ScaleConfig(base=str(tiny), adapter=runs["lora"], alpha=0.5), tmp_path / "out")
    larger = make(strong, tmp_path / "larger", r=8)
    with pytest.raises(MedctxError, match=r"by linear .* choose another method"):
        repair(CombineConfig(adapters=(runs["lora"], larger), method="linear"), tmp_path / "out")
    assert not (tmp_path / "out" / REPAIR_FILE).exists()


def test_models_of_different_shape_are_refused(strong: Path, tmp_path: Path) -> None:
    shutil.copytree(strong, tmp_path / "other")
    model = whole(strong)
    model.resize_token_embeddings(500)  # type: ignore[operator]
    model.save_pretrained(tmp_path / "other")  # type: ignore[operator]
    with pytest.raises(MedctxError, match="of one architecture and vocabulary"):
        repair(InterpolateConfig(base=str(strong), tuned=str(tmp_path / "other"), t=0.5), tmp_path / "out")
