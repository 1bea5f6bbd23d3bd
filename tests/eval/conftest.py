"""A tiny model with its tokenizer, and a loopback stand-in of a vLLM server that computes with it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    tiny_model = pytest.importorskip("medctx_train.tiny_model")
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny_model.save_tiny_llama(folder)
    return folder
