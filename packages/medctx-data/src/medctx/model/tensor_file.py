"""Files of tensors: written with the permissions of the umask, errors of the system named with their file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_NUMBER = re.compile(r"os error (\d+)")


@contextmanager
def system_errors(place: Path) -> Iterator[None]:
    """Raise a full disk and its like as OSError of ``place``, which libraries wrap or leave without a file name."""
    from safetensors import SafetensorError
    from torch.distributed.checkpoint.api import CheckpointException

    number: int | None
    try:
        yield
        return
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        number = error.errno
    except SafetensorError as error:
        match = _NUMBER.search(str(error))
        if match is None:
            raise
        number = int(match[1])
    except CheckpointException as error:
        # A BaseException with the error of every process that failed.
        causes = [cause for cause, _ in error.failures.values()]
        number = next((cause.errno for cause in causes if isinstance(cause, OSError)), None)
        if number is None:
            raise causes[0] from None
    raise OSError(number, os.strerror(number), str(place)) from None


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors as safetensors."""
    from safetensors.torch import save_file

    with system_errors(path):
        save_file(dict(tensors), path, metadata={"format": "pt"})
