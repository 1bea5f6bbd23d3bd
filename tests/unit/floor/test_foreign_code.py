"""Code in the folder of a model or tokenizer is never run, and nobody is asked to let it run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx.model.decoder_config import read_config
from medctx.text.tokenizer import read_tokenizer

pytest.importorskip("torch")


@pytest.mark.parametrize("read", [read_tokenizer, read_config])
def test_code_in_a_model_folder_is_not_run(
    read: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    code = f"from pathlib import Path\nPath({str(ran)!r}).touch()\nclass Foreign: ...\n"
    (tmp_path / "foreign.py").write_text(code)
    (tmp_path / "vocab.json").write_text('{"a": 0}')
    named = {"AutoConfig": "foreign.Foreign", "AutoTokenizer": ["foreign.Foreign", None]}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "foreign", "auto_map": named}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Foreign", "auto_map": named}))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(MedctxError, match="custom code"):
        read(tmp_path)
    assert not ran.exists()
