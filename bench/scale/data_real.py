"""Real files: MedQuAD and Alpaca in five ratios, requested and realised, and their contamination by all exams.

    python -m bench.scale.data_real --data FOLDER --tokenizer FOLDER

``--data`` holds the files under the names they have in the tables below; ``--tokenizer`` is a model folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from click.testing import CliRunner

from medctx.config.command_result import output_console
from medctx.io.cache import cache_folder
from medctx.io.jsonl import read_record
from medctx.schemas.contamination import SUMMARY, ContaminationReport
from medctx.schemas.mix import MixManifest
from medctx_data.cli import contamination as contamination_cli
from medctx_data.cli import main as cli
from medctx_data.mix_folder import write as folder

RATIOS = ("9:1", "4:1", "1:1", "1:4", "1:9")
SOURCES = {"alpaca": "sft_general_alpaca_en", "medquad": "sft_medical_medquad"}
EXAMS = {
    "medqa": ("medqa_usmle_test",),
    "medmcqa": ("medmcqa_dev",),
    "mmlu-medical": ("mmlu_medical_test",),
    "openstax-anatomy": ("openstax_anatomy_items", "openstax_anatomy_books"),
    "openstax-psychology": ("openstax_psychology_items", "openstax_psychology_books"),
    "pubmedqa": ("pubmedqa_test",),
    "pubmedqa-train": ("pubmedqa_train",),
    "zh-exams": ("zh_exams_test",),
}


def call(*arguments: str | Path) -> None:
    result = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
    if result.exit_code:
        raise SystemExit(result.output)


def mixed(data: Path, tokenizer: Path, out: Path, amount: str, pairs: str) -> MixManifest:
    sources = ", ".join(
        f"{{source: {name}, path: {data / f'{file}.jsonl.gz'}{amount}}}" for name, file in SOURCES.items()
    )
    call("mix", "--set", f"tokenizer={tokenizer}", "--set", f"sources=[{sources}]", "--set", pairs, "--out", out)
    return folder.manifest_of(out)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data")
    parser.add_argument("--tokenizer", type=Path, default=cache_folder() / "smollm2-135m-instruct")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    chosen = parser.parse_args()
    for needed in (chosen.data, chosen.tokenizer):
        if not needed.is_dir():
            print(f"not run: {needed} is not there (give --data and --tokenizer)")
            return
    os.environ["MEDCTX_TRACKING"] = "off"
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        os.environ["MEDCTX_CACHE"] = str(work / "cache")
        print(
            f"{'ratio':>5} {'source':>8} {'asked':>8} {'tokens':>9} {'share':>8} {'Dialogues':>9} {'share':>8} passes"
        )
        for ratio in RATIOS:
            out = work / ratio.replace(":", "-")
            manifest = mixed(chosen.data, chosen.tokenizer, out, "", f"ratio={ratio} tokens={chosen.tokens}")
            for source in manifest.sources:
                print(
                    f"{ratio:>5} {source.label:>8} {source.asked:8.2%} {source.tokens:9,} {source.token_share:8.3%} "
                    f"{source.dialogues:9,} {source.dialogue_share:8.3%} {source.epochs or 0:6.3f}",
                    flush=True,
                )
        mixed(chosen.data, chosen.tokenizer, work / "all", ", amount: all", "max_tokens=100000")
        files = [
            f"{exam}={chosen.data / f'{file}.jsonl.gz'}" for exam, exam_files in EXAMS.items() for file in exam_files
        ]
        call("contamination", work / "all", *(part for file in files for part in ("--exam", file)))
        output_console().print(
            contamination_cli.contamination_table(read_record(work / "all" / SUMMARY, ContaminationReport))
        )


if __name__ == "__main__":
    main()
