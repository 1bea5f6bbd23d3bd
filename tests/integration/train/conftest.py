"""These tests need medctx-train's libraries."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
