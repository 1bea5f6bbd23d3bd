"""Composing a mix: each source's sample up to its share of the budget, merged into one order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import medctx
from medctx.io import digest
from medctx.process.progress import say
from medctx.schemas.mix import Order
from medctx.tables.folders import matches
from medctx_data.mixture.budget import interleave
from medctx_data.mixture.config import DOMAINS, MixConfig
from medctx_data.mixture.draft import Draft, DraftEntry, SourceSample
from medctx_data.mixture.draws import Advance, PreparedSource, Sizing, draw_to_budget
from medctx_data.mixture.quota import SourceRequest
from medctx_data.tokens.count import tokenizer_digests


def _path_digest(path: Path) -> str:
    return digest.of_folder(path) if path.is_dir() else digest.of_file(path)


def request_digest(config: MixConfig, requests: Iterable[SourceRequest], tokenizer: Path) -> str:
    """Return a digest of everything a mix follows from, by which an existing mix is recognised.

    Keys at their defaults do not count: the digest stays the same when medctx gets new keys.
    """
    read = config.sources if config.clean.duplicates == "mix" else [request.config for request in requests]
    paths = [*(match for source in read for path in source.paths for match in matches(path)), config.wrap.passages]
    files = [_path_digest(path) for path in paths if path and path.exists()]
    keys = config.model_dump(
        mode="json",
        exclude={
            "tokenizer": True,
            "chat_template": True,
            "processes": True,
            "wrap": {"passages"},
            "sources": {"__all__": {"path"}},
        },
        exclude_defaults=True,
    )
    return digest.of_value([keys, files, tokenizer_digests(tokenizer, config.chat_template), medctx.__version__])


def _arrange(samples: Sequence[SourceSample], order: Order, mix_seed: int) -> list[DraftEntry]:
    """All picks, mixed or with those of one domain first."""
    seed = f"order-{mix_seed}"
    entries = [[DraftEntry(number, pick) for pick in sample.picks] for number, sample in enumerate(samples)]
    if order == "mixed":
        return interleave(entries, seed)
    first = order.removesuffix("-first")
    stages = sorted(DOMAINS, key=lambda domain: domain != first)
    return [
        entry
        for stage in stages
        for entry in interleave(
            [group for sample, group in zip(samples, entries, strict=True) if sample.domain == stage],
            f"{seed}-{stage}",
        )
    ]


def _with_shares(samples: Sequence[SourceSample]) -> list[SourceSample]:
    """Samples of amounts with their shares, which are known once all amounts are."""
    total = sum(sample.budget for sample in samples)
    return [replace(sample, share=Fraction(sample.budget, total)) for sample in samples]


def compose(
    config: MixConfig,
    sources: Sequence[PreparedSource],
    request: str,
    *,
    sizing: Sizing,
    advance: Advance = lambda step: None,
) -> Draft:
    """Cut every source to its quota and merge the samples into one order. Deterministic by ``config`` and the data.

    The total never exceeds the budget and falls short of it by less than one Dialogue per source.
    """
    samples = [draw_to_budget(source, config.seed, sizing, advance) for source in sources]
    if any(source.amount is not None for source in config.sources):
        samples = _with_shares(samples)
    for sample in samples:
        if sample.epochs is not None and sample.epochs > 1:
            say(
                f"The source {sample.label!r} is smaller than its share of {sample.budget:,} {config.by}: it is "
                f"gone through {sample.epochs:.2f} times."
            )
    return Draft(config, request, tuple(samples), tuple(_arrange(samples, config.order, config.seed)))
