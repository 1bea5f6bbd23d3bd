"""A written mix in MLflow: parameters, the data set with its digest, realised shares, files."""

from __future__ import annotations

from pathlib import Path

from medctx.tracking import Run
from medctx_data.folder import CONFIG, DIALOGUES, FIGURE, MANIFEST
from medctx_data.manifest import MixManifest
from medctx_data.mix_config import MixConfig


def record(run: Run, config: MixConfig, manifest: MixManifest, folder: Path) -> None:
    """Log a mix that already lies in ``folder``: files first, tracker second."""
    run.params(
        {
            "ratio": manifest.ratio,
            "by": manifest.by,
            "budget": manifest.budget,
            "seed": manifest.seed,
            "order": manifest.order,
            "max_tokens": config.max_tokens,
            "repeat": config.repeat,
            "sources": ", ".join(source.label for source in manifest.sources),
            "digest": manifest.digest,
        }
    )
    run.metrics({"tokens": manifest.tokens, "dialogues": manifest.dialogues})
    for domain in manifest.domains:
        run.metrics(
            {
                f"{domain.domain}_token_share": domain.token_share,
                f"{domain.domain}_dialogue_share": domain.dialogue_share,
            }
        )
    run.dataset(folder / DIALOGUES, folder.name, manifest.digest, context="training")
    for name in (MANIFEST, CONFIG, FIGURE):
        if (folder / name).is_file():
            run.artifact(folder / name, "mix")
