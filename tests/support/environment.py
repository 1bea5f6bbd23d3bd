"""Settings of MLflow that a test leaves as it found them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def restored_mlflow_environment() -> Iterator[None]:
    """MLflow writes the experiment it is given into the environment, where commands of later tests would read it."""
    before = {key: value for key, value in os.environ.items() if key.startswith("MLFLOW_")}
    yield
    for key in [key for key in os.environ if key.startswith("MLFLOW_")]:
        if key in before:
            os.environ[key] = before[key]
        else:
            del os.environ[key]


@contextmanager
def restored_mlflow_settings() -> Iterator[None]:
    """The environment, and the address of the store."""
    with restored_mlflow_environment():
        yield
        if "mlflow" in sys.modules:
            sys.modules["mlflow"].set_tracking_uri(None)
