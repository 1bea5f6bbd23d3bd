"""The files published exams are built from: fetched, or the user's own in their place."""

from __future__ import annotations

import json
from pathlib import Path

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote, fetch
from medctx_eval.run.config import ExamConfig


def given(config: ExamConfig) -> Path | None:
    """The file or folder of the user's that is read instead of the published one, if there is one."""
    return config.path or config.items


def obtain(config: ExamConfig, remote: Remote) -> tuple[Path, str]:
    """Where the file lies and its revision: the user's own ("" as its revision), else ``remote`` fetched.

    The config's ``revision``, where it names one, is fetched in place of the one ``remote`` names.
    """
    path = given(config)
    if path is not None:
        if not path.exists():
            raise MedctxError(f"The path {path} of the exam {config.exam} does not exist; correct path=.")
        return path, ""
    asked = remote.model_copy(update={"revision": config.revision}) if config.revision else remote
    fetched = fetch(asked)
    return fetched.path, fetched.revision


def read_json(path: Path) -> object:
    """The one JSON value a file holds; raises MedctxError where it holds none."""
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise MedctxError(
            f"{path}:{error.lineno} is not JSON ({error.msg} at column {error.colno}); give the file as published."
        ) from None
    except UnicodeDecodeError as error:
        raise MedctxError(f"{path} is not UTF-8 (byte {error.start}); give the file as published.") from None
    except OSError as error:
        raise MedctxError(f"{path} cannot be read ({error.strerror}); give a file that can be.") from None
