"""A registered study, made once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import registered_study
from tests.support.environment import restored_mlflow_settings


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in which a study of one ratio and two seeds has registered its adapters, and its report."""
    pytest.importorskip("mlflow")
    root = tmp_path_factory.mktemp("registered")
    # It lives longer than the fixtures that keep the settings of tests and modules apart.
    with restored_mlflow_settings():
        registered_study.register(root)
    return root
