"""Run a command that ends when its parent process ends, for whatever reason (on Linux; elsewhere it just runs).

``python parent_death.py COMMAND ARGUMENT...`` asks the kernel for a signal at the parent's death, then executes the
command.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Terminate this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> None:
    """Execute the command given as arguments."""
    end_with_parent()
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
