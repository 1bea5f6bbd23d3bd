"""Sources made ready to be drawn from: opened, read, cleaned, and measured where that pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medctx.io import digest
from medctx.io.cache import cache_folder
from medctx_data.cleaning.filters import Cleaned, Uncleaned, clean, marks_of
from medctx_data.mixture.config import MixConfig
from medctx_data.mixture.draws import Ready, is_wrapped
from medctx_data.mixture.quota import SourceRequest
from medctx_data.row_store.features import Job, measure_all, measured
from medctx_data.row_store.parallel import work
from medctx_data.row_store.rows import Gathered, Held, gather, is_gathered
from medctx_data.sources.card import Supply
from medctx_data.sources.config import SourceConfig
from medctx_data.tokens.count import Counter, Lengths

Opener = Callable[[SourceConfig], Supply]

WORTH_A_PROCESS = 2**24
"""Bytes of files from which reading a source gains more by a process of its own than it takes to start one."""


class Tools(NamedTuple):
    """What preparing takes: how a source is opened, how its Dialogues are counted and what that count is called."""

    open_one: Opener
    counter: Counter
    counted_with: str


class _Opened(NamedTuple):
    """A source that is not read yet; ``folder`` is for what is kept of it."""

    config: SourceConfig
    supply: Supply
    folder: Path

    @property
    def takes_long(self) -> bool:
        return self.supply.size >= WORTH_A_PROCESS and not is_gathered(self.folder)


def _open(config: SourceConfig, open_one: Opener) -> _Opened:
    supply = open_one(config)
    return _Opened(config, supply, cache_folder() / "sources" / f"{config.label}-{supply.identity[: digest.SHORT]}")


def _gather(one: _Opened) -> Gathered:
    read = one.supply.read
    return gather(read, one.config.label, one.folder, keep=one.supply.keep) if read else Gathered(Held(()), ())


def _read(opened: Sequence[_Opened], processes: int) -> dict[str, Gathered]:
    """The rows of sources by label; large ones are read beside each other."""
    long = [one for one in opened if one.takes_long]
    found = {one.config.label: gathered for one, gathered in work(_gather, long, processes)}
    return {one.config.label: found.get(one.config.label) or _gather(one) for one in opened}


def _configured(config: MixConfig, sources: Sequence[SourceRequest]) -> list[SourceConfig]:
    """The sources that are read: those with a share and, where duplicates are looked for through the whole mix, all:
    what is left out must not depend on the ratio.
    """
    own = [one.config for one in sources]
    return list(config.sources) if config.clean.duplicates == "mix" else own


def prepare(config: MixConfig, sources: Sequence[SourceRequest], tools: Tools) -> list[Ready]:
    """Make ``sources`` ready, in their order.

    What is read of large sources and what is measured of any is kept in the cache folder under the source's identity.
    """
    # All are opened before the first is read: what one of them lacks is told at once.
    opened = [_open(one, tools.open_one) for one in _configured(config, sources)]
    read = _read(opened, config.processes)
    lengths = Lengths(tools.counter, tools.counted_with)
    counted = {one.quota.label for one in sources if not is_wrapped(config.wrap, one.quota.domain)}
    filed = [one for one in opened if one.supply.endless is None]
    jobs = []
    for one in filed:
        label, fingerprints = one.config.label, marks_of(one.config.language, config.clean)
        jobs.append(
            Job(label, read[label].rows, (fingerprints, lengths) if label in counted else (fingerprints,), one.folder)
        )
    # Everything at once, so that rows are read and processes started once; what follows finds it kept.
    measure_all(jobs, config.processes)
    uncleaned = [Uncleaned(one.config.label, read[one.config.label], one.folder, one.config.language) for one in filed]
    cleaned = {
        one.label: found for one, found in zip(uncleaned, clean(uncleaned, config.clean, config.processes), strict=True)
    }
    supplies, folders = {one.config.label: one.supply for one in opened}, {one.label: one.folder for one in uncleaned}
    ready = []
    for requested in sources:
        label = requested.quota.label
        known = None
        if label in counted and label in folders:
            columns = measured(read[label].rows, lengths, folders[label], label, config.processes)
            known = columns["tokens"].astype(np.int64)
        ready.append(Ready(requested, supplies[label], read[label].rows, cleaned.get(label, Cleaned((), ())), known))
    return ready
