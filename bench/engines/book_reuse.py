"""How often a Book is prefilled, counted by the server: 400 questions on 20 Books.

    python -m bench.engines.book_reuse --model FOLDER [--books 20]

Every question is scored by its options' texts and by its letters. Beside what the server says it computed stands what
asking each prompt by itself without a prefix cache would take, in tokens.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from random import Random

from medctx.io.jsonl import write_text
from medctx_eval.artifacts import run_folder
from medctx_eval.engines.vllm import VllmConfig
from medctx_eval.exams.config import ExamConfig
from medctx_eval.exams.generated.needle import NeedleConfig, generate
from medctx_eval.run import examine as examination
from medctx_eval.run.config import ModelConfig, RunConfig

QUESTIONS = 20
"""On each Book."""


def exam_file(folder: Path, books: int) -> Path:
    """Twenty needle Passages bound into each Book, each of them asked about once."""
    exam = generate(NeedleConfig(keys=books * QUESTIONS, items=books * QUESTIONS), 0)
    items = list(exam.items)
    Random(0).shuffle(items)
    rows = []
    for number in range(books):
        several = items[number * QUESTIONS : (number + 1) * QUESTIONS]
        text = "\n\n".join(exam.by_id[item.evidence[0]].text for item in several)
        rows += [
            {
                "id": item.id,
                "question": item.question,
                "options": item.options,
                "answer": item.gold[0],
                "context": text,
            }
            for item in several
        ]
    file = folder / "items.jsonl"
    write_text(file, "".join(json.dumps(row) + "\n" for row in rows))
    return file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--books", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        config = RunConfig(
            models=(ModelConfig(name="base", folder=args.model),),
            exams=(ExamConfig(exam="file", items=exam_file(Path(scratch), args.books), conditions=("gold",)),),
            engine="vllm",
            vllm=VllmConfig(max_model_len=8192),
        )
        (folder,) = examination.examine(config, Path(scratch) / "out")
        manifest = run_folder.read_run(folder).manifest
    cost = manifest.cost
    assert cost.computed_tokens is not None and cost.book_prefills is not None
    cached = 1 - cost.computed_tokens / cost.prompt_tokens
    print(f"items                     {manifest.n // 2:>12,}")
    print(f"Books                     {cost.books:>12,}")
    print(f"Book prefills             {cost.book_prefills:>12.2f}")
    print(f"requests                  {cost.requests:>12,}")
    print(f"prompt tokens sent        {cost.prompt_tokens:>12,}")
    print(f"prompt tokens computed    {cost.computed_tokens:>12,}")
    print(f"cached-token share        {100 * cached:>11.1f}%")
    print(f"without a cache           {cost.prompt_tokens / cost.computed_tokens:>11.1f}x the tokens")
    print(f"seconds                   {cost.seconds:>12.0f}")


if __name__ == "__main__":
    main()
