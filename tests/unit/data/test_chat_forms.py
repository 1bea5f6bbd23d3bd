"""Conversations in the forms of other tools, detected and read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medctx.facts.curriculum import CurriculumConfig
from medctx.schemas.records import Dialogue
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.registry import open_source

ROWS: dict[str, object] = {
    "bot": {"conversations": [{"from": "human", "value": "Q?"}, {"from": "bot", "value": "A."}]},
    "prompter": {"messages": [{"role": "prompter", "content": "Q?"}, {"role": "assistant", "content": "A."}]},
    "parts": {"contents": [{"role": "user", "parts": [{"text": "Q?"}]}, {"role": "model", "parts": [{"text": "A."}]}]},
    "text parts": {
        "messages": [{"role": "user", "content": [{"text": "Q?"}]}, {"role": "assistant", "content": [{"text": "A."}]}]
    },
    "type": {"messages": [{"type": "human", "content": "Q?"}, {"type": "ai", "content": "A."}]},
    "input and output": {"conversation": [{"input": "Q?", "output": "A."}]},
    "lists as lines": [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A."}],
}


@pytest.mark.parametrize("name", ROWS)
def test_a_chat_form_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_text(3 * (json.dumps(ROWS[name]) + "\n"), encoding="utf-8")
    supply = open_source(SourceConfig(path=path, domain="general"), 0, CurriculumConfig())
    assert supply.read is not None
    dialogues = [row for row in supply.read() if isinstance(row, Dialogue)]
    assert [[(turn.role, turn.content) for turn in dialogue.turns] for dialogue in dialogues] == 3 * [
        [("user", "Q?"), ("assistant", "A.")]
    ]


def test_a_system_text_in_parts_is_read(tmp_path: Path) -> None:
    row = {
        "system": [{"text": "Be brief."}],
        "messages": [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A."}],
    }
    path = tmp_path / "chats.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    supply = open_source(SourceConfig(path=path, domain="general"), 0, CurriculumConfig())
    assert supply.read is not None
    (dialogue,) = [row for row in supply.read() if isinstance(row, Dialogue)]
    assert (dialogue.turns[0].role, dialogue.turns[0].content) == ("system", "Be brief.")
