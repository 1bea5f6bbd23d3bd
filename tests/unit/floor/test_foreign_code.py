"""Code in the folder of a model or tokenizer runs only if the user says so, and nobody is asked on the terminal."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medctx.config.cli import TRUST_VARIABLE, is_trusted
from medctx.errors import MedctxError
from medctx.model.decoder_config import read_config, supports_sdpa
from medctx.process.foreign_code import FOREIGN_CODE_VARIABLE, may_run_foreign_code
from medctx.text.tokenizer import read_tokenizer
from tests.support.paths import ROOT

pytest.importorskip("torch")
DECIDED = "may_run_foreign_code"
CODE = """
from pathlib import Path

from transformers import LlamaConfig, LlamaForCausalLM

Path({ran!r}).touch()


class ForeignConfig(LlamaConfig):
    model_type = "foreign"


class ForeignForCausalLM(LlamaForCausalLM):
    config_class = ForeignConfig
"""


@pytest.fixture
def foreign(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small model whose architecture is defined by code in its folder; ``ran`` beside it shows that the code ran."""
    folder = tmp_path / "foreign"
    shutil.copytree(tiny, folder)
    (folder / "foreign.py").write_text(CODE.format(ran=str(tmp_path / "ran")))
    config = json.loads((folder / "config.json").read_text())
    classes = {"AutoConfig": "foreign.ForeignConfig", "AutoModelForCausalLM": "foreign.ForeignForCausalLM"}
    changes = {"model_type": "foreign", "architectures": ["ForeignForCausalLM"], "auto_map": classes}
    (folder / "config.json").write_text(json.dumps(config | changes))
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    return folder


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
    with pytest.raises(MedctxError, match=f"custom code.*{FOREIGN_CODE_VARIABLE}=1"):
        read(tmp_path)
    assert not ran.exists()


def test_a_model_with_code_of_its_own_is_loaded_where_the_user_trusts_it(
    foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medctx_eval.engines.transformers import TransformersEngine
    from medctx_train.model.load import load_model

    for load in (load_model, TransformersEngine.load):
        with pytest.raises(MedctxError, match=FOREIGN_CODE_VARIABLE):
            load(foreign)
    assert not (tmp_path / "ran").exists()
    monkeypatch.setenv(FOREIGN_CODE_VARIABLE, "1")
    assert not supports_sdpa(read_config(foreign)), "foreign attention may have no other code than its own"
    assert type(load_model(foreign)).__name__ == "ForeignForCausalLM"
    assert TransformersEngine.load(foreign).max_positions > 0
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("value", "trusted"), [("1", True), ("true", True), ("", False), ("0", False), ("false", False), ("no", False)]
)
def test_only_a_word_for_yes_trusts_code_and_configs(
    value: str, trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOREIGN_CODE_VARIABLE, value)
    monkeypatch.setenv(TRUST_VARIABLE, value)
    assert may_run_foreign_code() is trusted and is_trusted() is trusted


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls that load by a class of transformers' ``Auto...``, which may run code in the folder."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value).rpartition(".")[2]
            if node.func.attr in {"from_pretrained", "from_config"} and owner.startswith("Auto"):
                yield node


def test_every_loader_asks_the_one_place_that_decides() -> None:
    checked = 0
    for file in [*ROOT.glob("packages/*/src/**/*.py"), *ROOT.glob("study/**/*.py")]:
        tree = ast.parse(file.read_text())
        for call in _calls(tree):
            decided = [ast.unparse(word.value) for word in call.keywords if word.arg == "trust_remote_code"]
            assert decided == [f"{DECIDED}()"], f"{file}:{call.lineno}"
            checked += 1
    assert checked >= 8
