"""The README.md of a mix: what it is for a person, and its head, by which ``datasets`` and the hub load the folder."""

from __future__ import annotations

import yaml

from medctx.io.mix_folder import DIALOGUES, SHARDS
from medctx.schemas.mix import MixManifest, SourceShare

FILE = "README.md"


def _head(manifest: MixManifest) -> str:
    """The YAML by which others know the files of the data set from what lies beside them."""
    files = SHARDS if manifest.format == "parquet" else DIALOGUES
    languages = sorted({one.name for one in manifest.languages if one.name})
    return yaml.safe_dump(
        {
            "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": files}]}],
            "language": languages,
            "license": "other",
            "license_name": "as-its-sources",
            "tags": ["medctx"],
        },
        sort_keys=False,
        allow_unicode=True,
    )


def _row(one: SourceShare) -> str:
    shares = f"{100 * one.asked:.2f} % | {100 * one.token_share:.2f} %"
    return f"| {one.label} | {one.domain} | {shares} | {one.tokens:,} | {one.dialogues:,} | {one.licence} |"


def _terms(one: SourceShare) -> str:
    forbidden = f" Restriction: {one.restriction}." if one.restriction else ""
    return f"- **{one.label}**: {one.citation.rstrip('.')}.{forbidden}"


def text(manifest: MixManifest, name: str) -> str:
    """The README.md of the mix in the folder ``name``."""
    wrapped = f", {100 * manifest.wrapped:.0f} % of each wrapped source given Books" if manifest.wrapped else ""
    return "\n".join(
        [
            f"---\n{_head(manifest)}---",
            f"# {name}",
            "",
            f"{manifest.tokens:,} tokens in {manifest.dialogues:,} Dialogues, general:medical {manifest.ratio} by "
            f"{manifest.by}, seed {manifest.seed}, order {manifest.order}{wrapped}. Made by medctx {manifest.medctx}; "
            f"SHA-256 of the Dialogues in their order {manifest.digest}.",
            "",
            "| source | domain | asked | of the tokens | tokens | Dialogues | licence |",
            "|---|---|---|---|---|---|---|",
            *map(_row, manifest.sources),
            "",
            *map(_terms, manifest.sources),
            "",
            'Load it with `datasets.load_dataset("THIS FOLDER", split="train")`; `mix.json` has every figure, '
            "`exclusions.jsonl` every row left out and why.",
            "",
        ]
    )
