"""Whose tokenizer measures: a folder's, a hub model's over HTTP, or bytes as an upper bound."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medctx.errors import MedctxError
from medctx.text import tokenizer
from medctx_eval.prompting import tokenizers
from tests.support.hub_stand_in import hub

COUNT = """
import sys
from medctx.errors import MedctxError
from medctx_eval.prompting import tokenizers
try:
    print(len(tokenizers.load_exam_tokenizer(sys.argv[1]).encode("Pallor and fatigue.", add_special_tokens=False)))
except MedctxError as error:
    sys.exit(f"one sentence: {error}")
"""


def counted(name: str, url: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment["HF_HUB_OFFLINE"] = "0"
    return subprocess.run(
        [sys.executable, "-c", COUNT, name], env=environment, capture_output=True, text=True, check=False
    )


def test_a_tokenizer_comes_from_the_hub_by_its_models_name(alphabet: Path, tmp_path: Path) -> None:
    files = {file.name: file.read_bytes() for file in alphabet.iterdir()}
    with hub() as server:
        server.commit("owner/model", {**files, "model.safetensors": b"x" * 1000})
        result = counted("owner/model", server.url, tmp_path)
        assert result.stdout.strip() == "19", result.stderr
        assert not any("safetensors" in line for line in server.request_lines), "weights are not needed"
        missing = counted("owner/other", server.url, tmp_path)
    assert missing.returncode == 1
    assert "one sentence: No model 'owner/other' was found on the hub" in missing.stderr


@given(text=st.text(max_size=200))
def test_bytes_are_never_fewer_than_tokens_of_bytes(alphabet: Path, text: str) -> None:
    plain = tokenizers.load_exam_tokenizer("bytes").encode(text, add_special_tokens=False)
    assert len(plain) >= len(tokenizer.load_tokenizer(alphabet).encode(text, add_special_tokens=False))


def test_a_folder_that_is_none_is_named() -> None:
    with pytest.raises(MedctxError, match=r"model folder nowhere does not exist"):
        tokenizers.load_exam_tokenizer("./nowhere")
