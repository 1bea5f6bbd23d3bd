"""A written mix in MLflow: parameters, metrics, files, and the data set with digest, schema and shares."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from medctx.io.mix_folder import files_of
from medctx.schemas.mix import MIX_FILE, MixManifest, Share
from medctx.schemas.records import Dialogue
from medctx.tracking.mlflow_run import Run
from medctx_data.mix_folder.write import CONFIG, EXCLUSIONS, FIGURE
from medctx_data.mixture.config import MixConfig

if TYPE_CHECKING:
    from mlflow.data.dataset import Dataset
    from mlflow.types.schema import Schema

DIGEST_CHARS = 36


def _schema() -> Schema:
    from mlflow.types.schema import Array, ColSpec, DataType, Object, Property, Schema

    text = DataType.string
    turn = Object([Property("role", text), Property("content", text)])
    kinds = {"turns": Array(turn), "facts": Array(text), "without_loss": Array(DataType.long)}
    return Schema([ColSpec(kinds.get(name, text), name) for name in Dialogue.model_fields])


def profile_of(manifest: MixManifest) -> dict[str, object]:
    """Return the numbers that MLflow shows with a data set: sizes, and requested and realised shares."""

    def shares(share: Share) -> dict[str, float]:
        return {"asked": share.asked, "tokens": share.token_share, "dialogues": share.dialogue_share}

    return {
        "num_rows": manifest.dialogues,
        "tokens": manifest.tokens,
        "domains": {domain.domain: shares(domain) for domain in manifest.domains},
        "sources": {source.label: {**shares(source), "epochs": source.epochs} for source in manifest.sources},
        "dropped": {source.label: source.dropped for source in manifest.sources},
    }


def dataset(manifest: MixManifest, path: Path, name: str) -> Dataset:
    """Return the mix with Dialogues at ``path`` (MLflow keeps ``DIGEST_CHARS`` characters of its digest)."""
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.meta_dataset import MetaDataset

    class MixDataset(MetaDataset):
        """A data set of Dialogues."""

        @property
        def profile(self) -> dict[str, object]:
            """Sizes and shares of the mix."""
            return profile_of(manifest)

        def to_dict(self) -> dict[str, str]:
            """The form in which the tracking server stores it."""
            return {**super().to_dict(), "profile": json.dumps(self.profile)}

    with warnings.catch_warnings():
        # MLflow registers its local source several times and warns that it has to choose.
        warnings.simplefilter("ignore", UserWarning)
        source = resolve_dataset_source(str(path.resolve()))
    return MixDataset(source, name=name, digest=manifest.digest[:DIGEST_CHARS], schema=_schema())


def record(run: Run, config: MixConfig, manifest: MixManifest, folder: Path) -> None:
    """Log the mix written to ``folder``."""
    run.params(
        {
            "ratio": manifest.ratio,
            "by": manifest.by,
            "fixed": manifest.fixed,
            "budget": "amounts" if manifest.budget is None else manifest.budget,
            "seed": manifest.seed,
            "order": manifest.order,
            "max_tokens": config.max_tokens,
            "repeat": config.repeat,
            "wrapped": manifest.wrapped,
            "near_duplicates": config.clean.near_duplicates,
            "sources": ", ".join(source.label for source in manifest.sources),
            "digest": manifest.digest,
        }
    )
    run.metrics(
        {
            "tokens": manifest.tokens,
            "loss_tokens": manifest.loss_tokens,
            "dialogues": manifest.dialogues,
            "excluded": sum(sum(source.dropped.values()) for source in manifest.sources),
        }
    )
    for domain in manifest.domains:
        run.metrics(
            {
                f"{domain.domain}_token_share": domain.token_share,
                f"{domain.domain}_loss_share": domain.loss_share,
                f"{domain.domain}_dialogue_share": domain.dialogue_share,
            }
        )
    if run.id:
        files = files_of(folder)
        where = files[0] if len(files) == 1 else folder
        run.data_set(dataset(manifest, where, folder.name), "training")
    for name in (MIX_FILE, CONFIG, FIGURE, EXCLUSIONS):
        if (folder / name).is_file():
            run.artifact(folder / name, "mix")
