"""What a run was started with: another text of the same chat template is another run."""

from __future__ import annotations

from pathlib import Path

import pytest

from medctx.errors import MedctxError
from medctx_train.config import SftConfig
from medctx_train.sft.resume import record_start, require_same


def test_a_chat_template_that_was_edited_is_noticed(tmp_path: Path) -> None:
    template = tmp_path / "template.jinja"
    template.write_text("{{ messages }}")
    config = SftConfig(chat_template=str(template))
    record_start(tmp_path, config, "data")
    require_same(tmp_path, config, "data")
    template.write_text("{{ messages }}!")
    with pytest.raises(MedctxError, match="was started with chat_template_digest="):
        require_same(tmp_path, config, "data")
    with pytest.raises(MedctxError, match="was started with chat_template="):
        require_same(tmp_path, SftConfig(chat_template="chatml"), "data")
