"""A written mix in MLflow: parameters, the data set with digest, schema and shares, realised shares, files."""

from __future__ import annotations

from pathlib import Path

from medctx.io.mix_folder import files_of
from medctx.schemas.mix import MIX_FILE, MixManifest
from medctx.tracking import mlflow_run as tracking
from medctx.tracking.mlflow_run import Run
from medctx_data.mix_folder import mlflow_dataset as tracked_data
from medctx_data.mix_folder.write import CONFIG, EXCLUSIONS, FIGURE
from medctx_data.mixture.config import MixConfig


def record(run: Run, config: MixConfig, manifest: MixManifest, folder: Path) -> None:
    """Log a mix that already lies in ``folder``: files first, tracker second."""
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
            "dialogues": manifest.dialogues,
            "excluded": sum(sum(source.dropped.values()) for source in manifest.sources),
        }
    )
    for domain in manifest.domains:
        run.metrics(
            {
                f"{domain.domain}_token_share": domain.token_share,
                f"{domain.domain}_dialogue_share": domain.dialogue_share,
            }
        )
    if run.id:
        files = files_of(folder)
        where = files[0] if len(files) == 1 else folder
        tracking.client().log_input(tracked_data.dataset(manifest, where, folder.name), context="training")
    for name in (MIX_FILE, CONFIG, FIGURE, EXCLUSIONS):
        if (folder / name).is_file():
            run.artifact(folder / name, "mix")
