"""Models are asked in the chat template that their adapters were trained with."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.text.chat_templates import CHAT_TEMPLATES, TEMPLATE_FILE, chat_template_text
from medctx_eval.run.config import ModelConfig, RunConfig
from medctx_eval.run.trained_template import with_trained_template


def model(folder: Path, name: str, template: str = "") -> ModelConfig:
    """A model with an adapter, which brings a template or none."""
    adapter = folder / name
    adapter.mkdir()
    if template:
        (adapter / TEMPLATE_FILE).write_text(CHAT_TEMPLATES[template])
    return ModelConfig(name=name, folder=folder, adapter=adapter)


def test_one_template_is_used_for_all_models_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = (ModelConfig(name="base", folder=tmp_path), model(tmp_path, "a", "plain"), model(tmp_path, "b", "plain"))
    config = with_trained_template(RunConfig(models=models))
    assert chat_template_text(config.chat_template) == CHAT_TEMPLATES["plain"]
    assert "for all models of this run" in capsys.readouterr().err


def test_different_templates_are_refused_unless_one_is_set(tmp_path: Path) -> None:
    config = RunConfig(models=(model(tmp_path, "a", "plain"), model(tmp_path, "b", "chatml")))
    with pytest.raises(MedctxError, match="adapters of a and b were trained with different chat templates"):
        with_trained_template(config)
    stated = config.model_copy(update={"chat_template": "chatml"})
    assert with_trained_template(stated) == stated


def test_adapters_without_a_template_leave_that_of_the_base(tmp_path: Path) -> None:
    config = RunConfig(models=(model(tmp_path, "a"), ModelConfig(name="base", folder=tmp_path)))
    assert with_trained_template(config) == config
