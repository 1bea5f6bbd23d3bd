"""Whether a composition can be recommended from a study and added to it, told before anything is trained."""

from __future__ import annotations

from medctx.errors import MedctxError
from study.config.grid import cells
from study.config.study import StudyConfig

FEWEST = 3
"""Compositions that a recommendation needs."""


def require_recommendable(config: StudyConfig) -> None:
    """Refuse a study of too few compositions, or one whose cells would be others with one more ratio."""
    shares = {cell.general_share for cell in cells(config) if cell.trained}
    if len(shares) < FEWEST:
        raise MedctxError(
            f"The study {config.name} trains {len(shares)} compositions and a recommendation needs {FEWEST}; give more "
            "ratios, for example ratios=['1:0','1:1','0:1']."
        )
    if config.design == "space-filling":
        raise MedctxError(
            "A space-filling design would choose other cells once the recommended ratio is added; take design=grid or "
            "one-at-a-time, or recommend from the finished study with: python -m study recommend."
        )
