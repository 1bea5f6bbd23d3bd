"""A mix is read by other trainers through the lines of its card, as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from medctx_data.mix_folder import write as folder
from medctx_data.mix_folder.dataset_card import PLACE
from medctx_data.mixture.config import MixConfig
from tests.support.made_dialogues import made_of, qa_dialogue, supplied

datasets = pytest.importorskip("datasets")
ROWS = 12


@pytest.fixture(params=["jsonl", "parquet"])
def mix(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = [qa_dialogue(f"row-{n}", f"Question {n}?", f"Answer {n}.") for n in range(ROWS)]
    sources = [{"source": "file", "name": "ward", "domain": "medical", "amount": "all"}]
    config = MixConfig.model_validate({"sources": sources, "format": request.param})
    folder.write_mix(tmp_path / "ward mix", made_of(config, lambda source: supplied(source, rows)).draft)
    return tmp_path / "ward mix"


def line(mix: Path, trainer: str) -> str:
    """The code in the line of a trainer, with the folder filled in."""
    card = (mix / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^- {trainer}[^`]*(?:`dataset_info.json`: )?`([^`]+)`$", card, flags=re.M)
    assert found, card
    return found[1].replace(PLACE, str(mix))


def test_trl_reads_the_mix_as_conversations(mix: Path) -> None:
    trl = pytest.importorskip("trl")
    loaded = eval(line(mix, "TRL"), {"datasets": datasets})
    assert len(loaded) == ROWS
    assert trl.is_conversational(loaded[0])
    assert [message["role"] for message in loaded[0]["messages"]] == ["user", "assistant"]


def test_llama_factory_finds_columns_and_tags(mix: Path) -> None:
    (entry,) = json.loads(line(mix, "LLaMA-Factory")).values()
    row = datasets.load_dataset(entry["hf_hub_url"], split="train")[0]
    messages: list[dict[str, Any]] = row[entry["columns"]["messages"]]
    tags = entry["tags"]
    assert entry["formatting"] == "sharegpt"
    assert [message[tags["role_tag"]] for message in messages] == [tags["user_tag"], tags["assistant_tag"]]
    assert all(message[tags["content_tag"]] for message in messages)


def test_axolotl_finds_its_messages(mix: Path) -> None:
    (entry,) = yaml.safe_load(line(mix, "Axolotl"))["datasets"]
    row = datasets.load_dataset(entry["path"], split=entry["split"])[0]
    mapping = entry["message_property_mappings"]
    messages = row[entry["field_messages"]]
    assert entry["type"] == "chat_template"
    assert [message[mapping["role"]] for message in messages] == ["user", "assistant"]
    assert messages[1][mapping["content"]].startswith("Answer ")


def test_trl_trains_on_the_mix(mix: Path, tiny: Path, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    loaded = eval(line(mix, "TRL"), {"datasets": datasets})
    settings = trl.SFTConfig(
        output_dir=str(tmp_path / "trained"),
        max_steps=2,
        per_device_train_batch_size=2,
        logging_steps=1,
        max_length=128,
        use_cpu=True,
        bf16=False,
        report_to=[],
        save_strategy="no",
    )
    trainer = trl.SFTTrainer(model=str(tiny), args=settings, train_dataset=loaded)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 2 and all(loss > 0 for loss in losses)
