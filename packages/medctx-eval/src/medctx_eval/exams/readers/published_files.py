"""The files that published exams are built from: downloaded, or given by the user."""

from __future__ import annotations

import json
from pathlib import Path

from medctx.errors import MedctxError
from medctx.fetch.pinned import Remote, fetch
from medctx.io.jsonl import JsonProblemError, unique_keys


def obtain_exam(exam: str, path: Path | None, remote: Remote, revision: str = "") -> tuple[Path, str]:
    """Locate the file or folder that an exam is built from.

    Args:
        exam: Name of the exam, for error messages.
        path: The user's own file or folder, read instead of the published one.
        remote: The published file.
        revision: Revision to download instead of the one that ``remote`` names.

    Returns:
        The local path and its revision ("" for the user's own).
    """
    if path is not None:
        if not path.exists():
            raise MedctxError(f"The path {path} of the exam {exam} does not exist; correct path=.")
        return path, ""
    fetched = fetch(remote.model_copy(update={"revision": revision}) if revision else remote)
    return fetched.path, fetched.revision


def read_json(path: Path) -> object:
    """Read a file that holds one JSON value; raises MedctxError if it does not."""
    try:
        return json.loads(path.read_bytes(), object_pairs_hook=unique_keys)
    except RecursionError:
        raise MedctxError(f"{path} is nested too deeply; give the file as published.") from None
    except json.JSONDecodeError as error:
        raise MedctxError(
            f"{path}:{error.lineno} is not JSON ({error.msg} at column {error.colno}); give the file as published."
        ) from None
    except UnicodeDecodeError as error:
        raise MedctxError(f"{path} is not UTF-8 (byte {error.start}); give the file as published.") from None
    except JsonProblemError as error:
        raise MedctxError(f"{path} {error}; give the file as published.") from None
    except OSError as error:
        raise MedctxError(f"{path} cannot be read ({error.strerror}); give a readable file.") from None
