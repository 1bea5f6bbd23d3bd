"""Training that goes on from an adapter: a medical model tuned again, on the same base."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from safetensors.torch import load_file

from medctx.errors import MedctxError
from medctx_train.checkpoints import adapter as adapters
from medctx_train.config import SftConfig
from medctx_train.sft.run import train
from tests.support.made_adapters import make


@pytest.fixture(autouse=True)
def _no_tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_TRACKING", "off")


def settings(base: Path, mix: Path, **changes: object) -> SftConfig:
    values = {"base": str(base), "mix": mix, "row_tokens": 256, "autocast": "no", "checkpoint_every": 2}
    return SftConfig.model_validate({**values, **changes})


def test_training_goes_on_from_an_adapter_with_its_rank_and_modules(strong: Path, mix: Path, tmp_path: Path) -> None:
    first = make(strong, tmp_path / "first", r=3, target_modules=["v_proj"], use_rslora=True)
    standing = train(settings(strong, mix, start_adapter=first, learning_rate=1e-12), tmp_path / "standing")
    before, after = load_file(first / adapters.WEIGHTS), load_file(tmp_path / "standing" / "adapter" / adapters.WEIGHTS)
    assert before.keys() == after.keys()
    assert max(float((before[name] - after[name]).abs().max()) for name in before) < 1e-6
    moved = train(settings(strong, mix, start_adapter=tmp_path / "first", learning_rate=1e-2), tmp_path / "moved")
    assert moved.first_loss == pytest.approx(standing.first_loss)
    result = adapters.load_adapter(tmp_path / "moved")
    assert result.settings.use_rslora and result.settings.r == 3
    assert result.trained_on == standing.base
    assert moved.weights_digest != standing.weights_digest


def test_an_adapter_of_another_base_is_not_trained_further(strong: Path, tiny: Path, mix: Path, tmp_path: Path) -> None:
    first = make(strong, tmp_path / "first")
    with pytest.raises(MedctxError, match="set base to the model it was trained on"):
        train(settings(tiny, mix, start_adapter=first), tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "sentence"), [({"method": "full"}, "merge it with"), ({"lora": {"rank": 8}}, "leave lora out")]
)
def test_what_does_not_go_with_an_adapter_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        SftConfig.model_validate({"start_adapter": "somewhere", **changes})
