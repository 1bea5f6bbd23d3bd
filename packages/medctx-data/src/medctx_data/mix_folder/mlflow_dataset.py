"""A mix as MLflow knows data sets: source, digest, schema of a Dialogue, and what the mix turned out to be."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.schemas.mix import MixManifest, Share
from medctx.schemas.records import Dialogue

if TYPE_CHECKING:
    from mlflow.data.dataset import Dataset
    from mlflow.types.schema import Schema

DIGEST_CHARS = 36


def _schema() -> Schema:
    from mlflow.types.schema import Array, ColSpec, DataType, Object, Property, Schema

    text = DataType.string
    turn = Object([Property("role", text), Property("content", text)])
    kinds = {"turns": Array(turn), "facts": Array(text)}
    return Schema([ColSpec(kinds.get(name, text), name) for name in Dialogue.model_fields])


def profile_of(manifest: MixManifest) -> dict[str, object]:
    """The numbers MLflow shows beside a data set: sizes, and asked and realised shares."""

    def shares(one: Share) -> dict[str, float]:
        return {"asked": one.asked, "tokens": one.token_share, "dialogues": one.dialogue_share}

    return {
        "num_rows": manifest.dialogues,
        "tokens": manifest.tokens,
        "domains": {one.domain: shares(one) for one in manifest.domains},
        "sources": {one.label: {**shares(one), "epochs": one.epochs} for one in manifest.sources},
        "dropped": {one.label: one.dropped for one in manifest.sources},
    }


def dataset(manifest: MixManifest, path: Path, name: str) -> Dataset:
    """The mix whose Dialogues lie at ``path`` (MLflow keeps :data:`DIGEST_CHARS` characters of its digest)."""
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset

    class MixDataset(MetaDataset):
        """A data set of Dialogues."""

        @property
        def profile(self) -> dict[str, object]:
            """What the mix turned out to be."""
            return profile_of(manifest)

        def to_dict(self) -> dict[str, str]:
            """As the tracking server stores it."""
            return {**super().to_dict(), "profile": json.dumps(self.profile)}

    with warnings.catch_warnings():
        # MLflow registers its local source several times and warns that it has to choose.
        warnings.simplefilter("ignore", UserWarning)
        source = resolve_dataset_source(str(path.resolve()))
    return MixDataset(source, name=name, digest=manifest.digest[:DIGEST_CHARS], schema=_schema())
