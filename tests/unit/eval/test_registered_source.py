"""What is registered is read whether or not anything is logged: a study calls its commands with tracking off."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.tracking.mlflow_run import UNTRACKED
from medctx_eval.artifacts import run_source


def test_the_registry_is_asked_while_nothing_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    for name, value in UNTRACKED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'registry.db'}")
    with pytest.raises(MedctxError) as caught:
        run_source.model_version("models:/ward/1")
    assert "ward" in str(caught.value) and "switched off" not in str(caught.value)
