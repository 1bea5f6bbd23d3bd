"""Dialogues of known length, their lengths without a tokenizer, and mixes of them without a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from medctx.io import digest
from medctx.schemas.mix import MixManifest
from medctx.schemas.records import Dialogue, Domain, Turn
from medctx_data.mixture.compose import compose
from medctx_data.mixture.config import MixConfig
from medctx_data.mixture.draft import Draft, Observed
from medctx_data.mixture.draws import Sizing
from medctx_data.mixture.manifest import describe_mix
from medctx_data.mixture.prepare import Tools, prepare_mix
from medctx_data.mixture.quota import source_requests
from medctx_data.sources.card import Row, Supply
from medctx_data.sources.cards import card_of
from medctx_data.sources.config import SourceConfig
from medctx_data.tokens.count import DialogueSize

Rows = Sequence[dict[str, str]]


def _size(dialogue: Dialogue) -> DialogueSize:
    lengths = [(turn.role == "assistant", len(turn.content.split())) for turn in dialogue.turns]
    return DialogueSize(sum(length for _, length in lengths), sum(length for answer, length in lengths if answer))


def sizes(dialogues: Sequence[Dialogue]) -> list[DialogueSize]:
    """Sizes in words: a Counter without a tokenizer."""
    return [_size(dialogue) for dialogue in dialogues]


def words(dialogues: Sequence[Dialogue]) -> list[int]:
    """Lengths in words."""
    return [size.tokens for size in sizes(dialogues)]


def dialogue(name: str, domain: Domain, length: int) -> Dialogue:
    """A Dialogue of ``length`` words, at least two."""
    answer = " ".join(["word"] * (length - 1))
    return qa_dialogue(name, name, answer, domain)


def qa_dialogue(name: str, question: str, answer: str, domain: Domain = "medical", language: str = "en") -> Dialogue:
    """A Dialogue of a question and its answer."""
    turns = (Turn(role="user", content=question), Turn(role="assistant", content=answer))
    return Dialogue(id=name, domain=domain, source="test", turns=turns, licence="MIT", language=language)


def supplied(source: SourceConfig, rows: Sequence[Row]) -> Supply:
    """Rows as a source gives them."""
    card = card_of(source.source)
    identity = digest.of_value([row.model_dump() if isinstance(row, Dialogue) else list(row) for row in rows])
    return Supply(card=card, citation=card.citation, identity=identity, read=lambda: iter(rows))


class Made(NamedTuple):
    """A mix that was made in memory."""

    draft: Draft
    dialogues: tuple[Dialogue, ...]
    manifest: MixManifest


def made_of(config: MixConfig, open_one: Callable[[SourceConfig], Supply]) -> Made:
    """Mix sources whose Dialogues are counted in words."""
    ready = prepare_mix(config, source_requests(config), Tools(open_one, sizes, "words"))
    draft = compose(config, ready, "request", sizing=Sizing(sizes, config.wrap, lambda text: len(text.split())))
    observed = Observed()
    dialogues = tuple(observed.watch(draft.dialogues()))
    return Made(draft, dialogues, describe_mix(draft, observed))
