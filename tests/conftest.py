"""What holds for every test: one thread, no MLflow setting left behind, no ``gpu`` test without an NVIDIA GPU, and the
files and folders that take longest come first, so that of several processes none is left with a long file at the end.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator

import hypothesis
import pytest

from tests.support.environment import restored_mlflow_environment, restored_mlflow_settings
from tests.support.fixtures import alpaca_rows, alphabet, mix, strong, tiny, tokenizer_folder, write_rows

__all__ = ["alpaca_rows", "alphabet", "mix", "strong", "tiny", "tokenizer_folder", "write_rows"]

# Before torch is imported, and for processes that tests start: on models this small, threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

# Properties hold or not; how long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("no-deadline", deadline=None)
hypothesis.settings.load_profile("no-deadline")


@pytest.fixture(autouse=True)
def _own_mlflow_settings() -> Iterator[None]:
    with restored_mlflow_environment():
        yield


@pytest.fixture(autouse=True, scope="module")
def _mlflow_settings_of_a_module() -> Iterator[None]:
    """What a module's fixtures set is not left to the next module, the address of the store included."""
    with restored_mlflow_settings():
        yield


def pytest_collection_finish() -> None:
    """What was imported stays: the garbage collector need not look through torch and the rest again and again."""
    gc.collect()
    gc.freeze()


LONGEST_FIRST = (
    "tests/integration/whole/test_smoke_study.py",
    "tests/integration/train/test_served_adapter.py",
    "tests/integration/eval/test_vllm_engine.py",
    "tests/integration/whole/",
    "tests/integration/train/",
    "tests/integration/study/",
    "tests/integration/",
)


def _rank(item: pytest.Item) -> int:
    """The place of a test's file or folder among those that come first."""
    ranks = (rank for rank, place in enumerate(LONGEST_FIRST) if item.nodeid.startswith(place))
    return next(ranks, len(LONGEST_FIRST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)
    if shutil.which("nvidia-smi"):
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU on this machine"))
