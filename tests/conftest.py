"""What holds for every test: one thread, no MLflow setting left behind, no ``gpu`` test without an NVIDIA GPU."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.fixtures import alpaca_rows, alphabet, mix, strong, tiny, tokenizer_folder, write_rows

__all__ = ["alpaca_rows", "alphabet", "mix", "strong", "tiny", "tokenizer_folder", "write_rows"]

# Before torch is imported, and for processes that tests start: on models this small, threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@contextmanager
def _restored_environment() -> Iterator[None]:
    """MLflow writes the experiment it is given into the environment, where commands of later tests would read it."""
    before = {key: value for key, value in os.environ.items() if key.startswith("MLFLOW_")}
    yield
    for key in [key for key in os.environ if key.startswith("MLFLOW_")]:
        if key in before:
            os.environ[key] = before[key]
        else:
            del os.environ[key]


@pytest.fixture(autouse=True)
def _own_mlflow_settings() -> Iterator[None]:
    with _restored_environment():
        yield


@pytest.fixture(autouse=True, scope="module")
def _mlflow_settings_of_a_module() -> Iterator[None]:
    """What a module's fixtures set is not left to the next module, the address of the store included."""
    with _restored_environment():
        yield
        if "mlflow" in sys.modules:
            sys.modules["mlflow"].set_tracking_uri(None)


def pytest_collection_finish() -> None:
    """What was imported stays: the garbage collector need not look through torch and the rest again and again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if shutil.which("nvidia-smi"):
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU on this machine"))
