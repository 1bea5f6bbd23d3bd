"""Where this distribution finds medctx-data: beside itself in a checkout, by version in a release."""

from __future__ import annotations

import os
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface


class FloorHook(MetadataHookInterface):
    """Adds the requirement on medctx-data to the dependencies.

    In a checkout it is the URL of the sibling folder, so that this package installs alone from a path, editable or
    from a git subdirectory. Such a wheel holds a path of the machine that built it; with ``MEDCTX_RELEASE=1``, and
    wherever the sibling is missing (an sdist), it is the plain version instead, and the wheel travels.
    """

    def update(self, metadata: dict[str, object]) -> None:
        """Set ``dependencies`` from this hook's table in pyproject.toml."""
        floor, sibling = self.config["floor"], Path(self.root).parent / "medctx-data"
        release = os.environ.get("MEDCTX_RELEASE") == "1" or not (sibling / "pyproject.toml").is_file()
        place = f"=={metadata['version']}" if release else f" @ {sibling.as_uri()}"
        metadata["dependencies"] = [f"{floor}{place}", *self.config["dependencies"]]
