"""The cards of every source medctx knows by name."""

from __future__ import annotations

from medctx_data.sources.card import AS_STATED, HUB, SourceCard
from medctx_data.sources.general import GENERAL
from medctx_data.sources.medical import ENGLISH
from medctx_data.sources.medical_zh import CHINESE

OWN = tuple(
    SourceCard(
        name=name,
        domain="",
        language="",
        licence=AS_STATED,
        citation="a file of one's own",
        form="dialogues",
    )
    for name in ("jsonl", "parquet")
)
ANY = SourceCard(
    name=HUB,
    domain="",
    language="",
    licence="as the data set's own card states, told when it is opened",
    citation="a data set of the hub, by the keys dataset, subset, split and revision",
    form="dialogues",
    published="https://huggingface.co/datasets (read through the library datasets)",
)
CARDS = {card.name: card for card in (*GENERAL, *ENGLISH, *CHINESE, ANY, *OWN)}
