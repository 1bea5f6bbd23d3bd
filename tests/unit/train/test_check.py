"""A check finds what an estimate finds, and builds a model that is known to work no second time."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from medctx.errors import MedctxError
from medctx.io.jsonl import write_records
from medctx_train.config import SftConfig
from medctx_train.estimate import check, model_stats
from medctx_train.estimate.check import check_training, modules_key
from medctx_train.estimate.estimate import estimate_training
from tests.support.made_training import dialogue

CHECK = """
import sys
from medctx_train.cli import main

try:
    main(["check", "--config", sys.argv[1]])
except SystemExit as end:
    assert not end.code, end.code
heavy = ("torch", "transformers", "peft", "numpy", "matplotlib")
print([name for name in heavy if name in sys.modules], file=sys.stderr)
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDCTX_CACHE", str(tmp_path / "cache"))


def config(base: Path, mix: Path, **keys: object) -> SftConfig:
    return SftConfig.model_validate({"base": str(base), "mix": str(mix), "row_tokens": 256, **keys})


@pytest.fixture
def small_vocabulary(tiny: Path, tmp_path: Path) -> Path:
    """A base whose model knows fewer tokens than its tokenizer."""
    folder = tmp_path / "small"
    shutil.copytree(tiny, folder)
    stated = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**stated, "vocab_size": 8}))
    return folder


def sentence(run: SftConfig, find: object) -> str:
    assert callable(find)
    with pytest.raises(MedctxError) as caught:
        find(run)
    return str(caught.value)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"lora": {"targets": ["q_porj"]}}, "no module of that name"),
        ({"lora": {"targets": ["input_layernorm"]}}, "PEFT cannot adapt"),
        ({"attention": "flash"}, "needs an NVIDIA GPU"),
        ({"attention": "flex"}, "needs a GPU"),
        ({"row_tokens": 8, "too_long": "refuse"}, "too_long"),
        ({"row_tokens": 8, "too_long": "drop"}, "is left to train on"),
        ({"chat_template": "chatm"}, "chat template"),
        ({"start_adapter": "nowhere"}, "nowhere"),
    ],
)
def test_a_check_finds_what_an_estimate_finds(tiny: Path, mix: Path, keys: Mapping[str, object], words: str) -> None:
    run = config(tiny, mix, **keys)
    found = sentence(run, check_training)
    assert found == sentence(run, estimate_training)
    assert words in found
    assert sentence(run, check_training) == found, "what fails is not taken as known to work"


def test_a_tokenizer_of_another_model_is_found(small_vocabulary: Path, mix: Path) -> None:
    run = config(small_vocabulary, mix)
    assert sentence(run, check_training) == sentence(run, estimate_training)
    assert "knows the IDs below 8" in sentence(run, check_training)


def test_an_empty_mix_is_found(tiny: Path, tmp_path: Path) -> None:
    write_records(tmp_path / "mix" / "dialogues.jsonl", [])
    run = config(tiny, tmp_path / "mix")
    assert sentence(run, check_training) == sentence(run, estimate_training)


def test_the_data_are_counted_as_in_an_estimate(tiny: Path, mix: Path) -> None:
    checked, estimated = check_training(config(tiny, mix)), estimate_training(config(tiny, mix), 1e9)
    names = ("dialogues", "tokens", "rows", "fill")
    assert [getattr(checked, name) for name in names] == [getattr(estimated, name) for name in names]


def test_a_model_is_built_once_and_data_are_read_each_time(
    tiny: Path, mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Path] = []
    build = model_stats.model_stats

    def counted(settings: SftConfig, folder: Path) -> object:
        built.append(folder)
        return build(settings, folder)

    monkeypatch.setattr(model_stats, "model_stats", counted)
    for _ in range(3):
        check_training(config(tiny, mix))
    assert len(built) == 1
    check_training(config(tiny, mix, lora={"rank": 2}))
    assert len(built) == 2
    other = tmp_path / "other"
    write_records(other / "dialogues.jsonl", [dialogue(0, 400)])
    assert "too_long" in sentence(config(tiny, other, too_long="refuse"), check_training)
    assert len(built) == 2


def test_a_check_of_a_model_known_to_work_imports_neither_torch_nor_transformers(
    tiny: Path, mix: Path, tmp_path: Path
) -> None:
    run = config(tiny, mix)
    check_training(run)
    file = tmp_path / "sft.yaml"
    file.write_text(yaml.safe_dump(run.model_dump(mode="json", exclude_defaults=True)))
    completed = subprocess.run([sys.executable, "-c", CHECK, str(file)], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr.splitlines()[-1] == "[]"


def test_the_key_holds_the_config_the_settings_and_the_versions(
    tiny: Path, mix: Path, small_vocabulary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = config(tiny, mix)
    keys = [
        modules_key(run, tiny),
        modules_key(run, small_vocabulary),
        modules_key(config(tiny, mix, method="full"), tiny),
        modules_key(config(tiny, mix, lora={"use_dora": True}), tiny),
        modules_key(config(tiny, mix, attention="sdpa"), tiny),
    ]
    monkeypatch.setattr(check, "_installed", lambda package: "9.9" if package == "peft" else "1.0")
    keys.append(modules_key(run, tiny))
    monkeypatch.setattr(check, "has_no_accelerator", lambda: False)
    keys.append(modules_key(run, tiny))
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert modules_key(config(tiny, mix, learning_rate=1.0, seed=3), tiny) == keys[-1]


def test_code_from_elsewhere_and_adapters_are_built_each_time(tiny: Path, mix: Path, tmp_path: Path) -> None:
    folder = tmp_path / "foreign"
    shutil.copytree(tiny, folder)
    stated = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**stated, "auto_map": {"AutoConfig": "code.Own"}}))
    assert modules_key(config(folder, mix), folder) is None
    assert modules_key(config(tiny, mix, start_adapter=str(tmp_path)), tiny) is None
