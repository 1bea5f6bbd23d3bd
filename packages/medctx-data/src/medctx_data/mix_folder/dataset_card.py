"""The README.md of a mix: a summary, and the YAML header by which ``datasets`` and the hub load the folder."""

from __future__ import annotations

import json

import yaml

from medctx.io.mix_folder import DIALOGUES, SHARDS
from medctx.schemas.mix import MixManifest, SourceShare

FILE = "README.md"
PLACE = "THIS FOLDER"
"""What a reader of the card replaces by the path of the mix."""
ROLES = ("user", "assistant", "system")


def _head(manifest: MixManifest) -> str:
    """YAML that names the files of the data set."""
    files = SHARDS if manifest.format == "parquet" else DIALOGUES
    languages = sorted({group.name for group in manifest.languages if group.name})
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


def _row(source: SourceShare) -> str:
    shares = f"{100 * source.asked:.2f} % | {100 * source.token_share:.2f} %"
    sizes = f"{source.tokens:,} | {source.dialogues:,}"
    return f"| {source.label} | {source.domain} | {shares} | {sizes} | {source.licence} |"


def _terms(source: SourceShare) -> str:
    restriction = f" Restriction: {source.restriction}." if source.restriction else ""
    return f"- **{source.label}**: {source.citation.rstrip('.')}.{restriction}"


def trainer_lines(name: str) -> list[str]:
    """How other trainers read the mix in the folder ``name``: a line for TRL, LLaMA-Factory and Axolotl each."""
    tags = {"role_tag": "role", "content_tag": "content"} | {f"{role}_tag": role for role in ROLES}
    entry = {"hf_hub_url": PLACE, "formatting": "sharegpt", "columns": {"messages": "turns"}, "tags": tags}
    listed = {"path": PLACE, "split": "train", "type": "chat_template", "field_messages": "turns"}
    mapping = {"message_property_mappings": {"role": "role", "content": "content"}}
    flow = yaml.safe_dump([{**listed, **mapping}], default_flow_style=True, sort_keys=False, width=10_000).strip()
    return [
        "Other trainers read the folder without a conversion:",
        "",
        f'- TRL: `datasets.load_dataset("{PLACE}", split="train").rename_column("turns", "messages")`',
        f"- LLaMA-Factory, in `dataset_info.json`: `{json.dumps({name: entry})}`",
        f"- Axolotl: `datasets: {flow}`",
        "",
        "They train on all answers, including those that the column `without_loss` names.",
    ]


def text(manifest: MixManifest, name: str) -> str:
    """Return the README.md of the mix in the folder ``name``."""
    wrapped = (
        f", {100 * manifest.wrapped:.0f} % of the Dialogues of each wrapped source have a Book"
        if manifest.wrapped
        else ""
    )
    return "\n".join(
        [
            f"---\n{_head(manifest)}---",
            f"# {name}",
            "",
            f"{manifest.tokens:,} tokens in {manifest.dialogues:,} Dialogues, general:medical {manifest.ratio} by "
            f"{manifest.by}, seed {manifest.seed}, order {manifest.order}{wrapped}. Made by medctx {manifest.medctx}; "
            f"SHA-256 of the Dialogues in their order {manifest.digest}.",
            "",
            "| source | domain | requested | of the tokens | tokens | Dialogues | licence |",
            "|---|---|---|---|---|---|---|",
            *map(_row, manifest.sources),
            "",
            *map(_terms, manifest.sources),
            "",
            f'Load it with `datasets.load_dataset("{PLACE}", split="train")`; `mix.json` has every figure, '
            "`exclusions.jsonl` every row left out and why.",
            "",
            *trainer_lines(name),
            "",
        ]
    )
