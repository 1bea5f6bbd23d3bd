"""MinHash: texts with similar sets of shingles get an equal key in some band, and only those are compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medctx.errors import MedctxError
from medctx_data.text.segments import Numbers, Places

HASHES = 128
SEED = 1
CERTAINTY = 0.995
_BASE = np.uint64(0xC2B2AE3D27D4EB4F)


def bands_for(similarity: float) -> tuple[int, int]:
    """Return how many bands of how many hashes a signature is cut into.

    Bands are as wide as possible (fewer pairs are proposed in vain) such that two texts of exactly ``similarity``
    (above 0, at most 1) still agree in a whole band with probability ``CERTAINTY``.
    """
    for width in range(HASHES, 1, -1):
        bands = HASHES // width
        if 1 - (1 - similarity**width) ** bands >= CERTAINTY:
            return bands, width
    return HASHES, 1


def _signatures(shingles: Numbers, starts: Places) -> Numbers:
    """``HASHES`` numbers for each set of shingles; ``starts`` as ``Units.shingles`` gives them."""
    try:
        from rensa import RMinHash
    except ImportError:
        raise MedctxError(
            "Near duplicates are found with the package rensa, which is not installed; "
            "run: pip install 'medctx-data[dedupe]'."
        ) from None
    if len(starts) < 2:
        return np.empty((0, HASHES), np.uint64)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(shingles, starts.astype(np.uint64), HASHES, SEED)
    return np.asarray(matrix.to_rows(), dtype=np.uint64)


def keys(shingle_sets: Sequence[tuple[Numbers, Places]], similarity: float) -> Numbers:
    """Return the key of every band (columns) of every text (rows).

    A text may have several sets of shingles, each given for all texts. A band then takes its hashes from each of them
    in turn: texts of which every set is as similar as ``similarity`` agree as often as with one set, others rarely.
    """
    bands, width = bands_for(similarity)
    signatures = [
        _signatures(shingles, starts)[:, : bands * width].reshape(-1, bands, width) for shingles, starts in shingle_sets
    ]
    band_keys = np.zeros(signatures[0].shape[:2], np.uint64)
    for column in range(width):
        band_keys = (band_keys + signatures[column % len(signatures)][:, :, column]) * _BASE
        band_keys ^= band_keys >> np.uint64(31)
    return band_keys
