"""Mixes from Python: what ``medctx_data`` exports, and the console command calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medctx.errors import MedctxError
from medctx.process.progress import say, track
from medctx.schemas.mix import MixManifest
from medctx.schemas.records import Dialogue
from medctx.text import tokenizer as tokenizers
from medctx_data.mix_folder.write import checked, existing, manifest_of, write_mix
from medctx_data.mixture.compose import compose, request_digest
from medctx_data.mixture.config import MixConfig
from medctx_data.mixture.draft import Draft, Observed
from medctx_data.mixture.draws import Sizing
from medctx_data.mixture.manifest import describe_mix
from medctx_data.mixture.prepare import Tools, prepare_mix
from medctx_data.mixture.quota import source_requests
from medctx_data.sources.card import HUB, SourceCard, Supply
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.registry import open_source
from medctx_data.tokens.count import TokenCounter


class MixJob:
    """A configured mix whose config and tokenizer were checked; nothing is read yet.

    Raises:
        MedctxError: The config has no tokenizer, or asks for something that no source can give.
    """

    def __init__(self, config: MixConfig) -> None:
        if config.tokenizer is None:
            raise MedctxError(
                "The key tokenizer is missing; give the folder of the model that will be trained, "
                "for example --set tokenizer=models/base."
            )
        tokenizers.require_tokenizer(config.tokenizer)
        self.config = config
        self._tokenizer = config.tokenizer
        self._requests = source_requests(config)
        self._request = request_digest(config, self._requests, config.tokenizer)
        for request in self._requests:
            # The licence of a hub data set is known once it is opened.
            if request.card.name != HUB:
                _say_licence(request.quota.label, request.card)

    def _open(self, source: SourceConfig) -> Supply:
        supply = open_source(source, self.config.seed, self.config.curriculum)
        if source.source == HUB:
            _say_licence(source.label, supply.card)
        return supply

    def _draft(self) -> Draft:
        config, count = self.config, TokenCounter(self._tokenizer, self.config.chat_template)
        sources = prepare_mix(config, self._requests, Tools(self._open, count, count.name))
        sizing = Sizing(count, config.wrap, count.of_text)
        with track("mix", sum(request.quota.budget or 0 for request in self._requests), config.by) as advance:
            return compose(config, sources, self._request, sizing=sizing, advance=advance)

    def preview(self) -> MixManifest:
        """Return the manifest without writing anything."""
        draft, observed = self._draft(), Observed()
        for _ in observed.watch(draft.dialogues()):
            pass
        return describe_mix(draft, observed)

    def existing(self, out: Path) -> MixManifest | None:
        """Return the manifest if ``out`` already holds this mix; another mix there is an error."""
        return existing(out, self._request)

    def write(self, out: Path) -> MixManifest:
        """Write the mix to ``out``."""
        return write_mix(out, self._draft())


def _say_licence(label: str, card: SourceCard) -> None:
    if card.restriction:
        say(f"licence of {label}: {card.licence} ({card.restriction})")


def mix(config: MixConfig, out: Path | str) -> MixManifest:
    """Mix sources in a ratio up to a budget and write the Dialogues to a folder.

    Args:
        config: Sources, ratio, budget and the tokenizer that counts.
        out: Folder of the mix. If it already holds this mix, nothing is done.

    Returns:
        The manifest with requested and realised shares, and the digest of the Dialogues.

    Raises:
        MedctxError: The config cannot be satisfied, or ``out`` holds another mix.
    """
    job = MixJob(config)
    return job.existing(Path(out)) or job.write(Path(out))


@dataclass(frozen=True)
class LoadedMix:
    """A mix that was written: its manifest and its Dialogues in their order."""

    folder: Path
    manifest: MixManifest

    def __len__(self) -> int:
        return self.manifest.dialogues

    def _repr_markdown_(self) -> str:
        """The manifest as a table, for notebooks."""
        return self.manifest._repr_markdown_()

    def __iter__(self) -> Iterator[Dialogue]:
        """Yield the Dialogues; after the last one their digest is compared with the manifest's."""
        return checked(self.folder, self.manifest)


def load_mix(folder: Path | str) -> LoadedMix:
    """Load a mix that ``mix`` or ``medctx-data mix`` wrote.

    Args:
        folder: The folder it was written into.

    Returns:
        The mix; iterating it streams the Dialogues from the disk.

    Raises:
        MedctxError: The folder holds no finished mix. Iterating raises it where the Dialogues were changed.
    """
    return LoadedMix(Path(folder), manifest_of(Path(folder)))
