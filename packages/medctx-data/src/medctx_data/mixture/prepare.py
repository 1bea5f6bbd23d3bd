"""Preparing sources for drawing: opened, read, cleaned, and measured where that pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medctx.io import digest
from medctx.io.cache import cache_folder
from medctx_data.cleaning.filters import Cleaned, SourceRows, clean, fingerprints_for
from medctx_data.mixture.config import MixConfig
from medctx_data.mixture.draws import PreparedSource, is_wrapped
from medctx_data.mixture.quota import SourceRequest
from medctx_data.row_store.features import FeatureJob, measure_all, measured
from medctx_data.row_store.parallel import work
from medctx_data.row_store.rows import Gathered, MemoryRows, gather, is_gathered
from medctx_data.sources.card import Supply
from medctx_data.sources.config import SourceConfig
from medctx_data.tokens.count import Counter, Lengths

Opener = Callable[[SourceConfig], Supply]

WORTH_A_PROCESS = 2**24
"""Bytes of files from which reading a source in a process of its own saves more time than starting it takes."""


class Tools(NamedTuple):
    """What preparing needs: how a source is opened, how Dialogues are counted, and a name for that count."""

    open_source: Opener
    counter: Counter
    counter_name: str


class _Opened(NamedTuple):
    """A source that is not read yet; ``folder`` keeps what is derived from it."""

    config: SourceConfig
    supply: Supply
    folder: Path

    @property
    def takes_long(self) -> bool:
        return self.supply.size >= WORTH_A_PROCESS and not is_gathered(self.folder)


def _open(config: SourceConfig, open_source: Opener) -> _Opened:
    supply = open_source(config)
    return _Opened(config, supply, cache_folder() / "sources" / f"{config.label}-{supply.identity[: digest.SHORT]}")


def _gather(source: _Opened) -> Gathered:
    read = source.supply.read
    if read is None:
        return Gathered(MemoryRows(()), ())
    return gather(read, source.config.label, source.folder, keep=source.supply.keep)


def _read(opened: Sequence[_Opened], processes: int) -> dict[str, Gathered]:
    """Read the rows of sources by label, large ones in parallel."""
    large = [source for source in opened if source.takes_long]
    gathered = {source.config.label: rows for source, rows in work(_gather, large, processes)}
    return {source.config.label: gathered.get(source.config.label) or _gather(source) for source in opened}


def _sources_to_read(
    sources: Sequence[SourceConfig], requests: Sequence[SourceRequest], *, everywhere: bool
) -> list[SourceConfig]:
    """The sources with a share and, where duplicates are looked for across the mix (``everywhere``), all: what is left
    out must not depend on the ratio.
    """
    return list(sources) if everywhere else [request.config for request in requests]


def prepare_mix(config: MixConfig, requests: Sequence[SourceRequest], tools: Tools) -> list[PreparedSource]:
    """Prepare the requested sources, in their order.

    The rows of large sources and the measurements of all are kept in the cache folder under the source's identity.
    """
    # All are opened before the first is read, so that a missing file is reported at once.
    sources = _sources_to_read(config.sources, requests, everywhere=config.clean.duplicates == "mix")
    opened = [_open(source, tools.open_source) for source in sources]
    read = _read(opened, config.processes)
    lengths = Lengths(tools.counter, tools.counter_name)
    counted = {request.quota.label for request in requests if not is_wrapped(config.wrap, request.quota.domain)}
    finite = {source.config.label: source for source in opened if source.supply.generator is None}
    jobs = []
    for label, source in finite.items():
        fingerprints = fingerprints_for(source.config.language, config.clean)
        measures = (fingerprints, lengths) if label in counted else (fingerprints,)
        jobs.append(FeatureJob(label, read[label].rows, measures, source.folder))
    # All measures at once, so that rows are read and processes started once; later calls find the results.
    measure_all(jobs, config.processes)
    source_rows = [
        SourceRows(label, read[label], source.folder, source.config.language) for label, source in finite.items()
    ]
    cleaned = dict(zip(finite, clean(source_rows, config.clean, config.processes), strict=True))
    supplies = {source.config.label: source.supply for source in opened}
    prepared = []
    for request in requests:
        label = request.quota.label
        sizes = None
        if label in counted and label in finite:
            columns = measured(read[label].rows, lengths, finite[label].folder, label, config.processes)
            sizes = np.stack([columns["tokens"], columns["loss_tokens"]], axis=1).astype(np.int64)
        rows, _, notes = read[label]
        kept = cleaned.get(label, Cleaned((), ()))
        prepared.append(PreparedSource(request, supplies[label], rows, kept, notes, sizes))
    return prepared
