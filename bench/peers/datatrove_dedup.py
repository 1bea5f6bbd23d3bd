"""Runs in the environment of datatrove: near duplicates by MinHash, as its pipeline for one machine finds them.

    python datatrove_dedup.py ROWS WORK PROCESSES

Rows: JSON lines with ``id`` and ``text``. Prints one JSON line: seconds, and the file of the ids that are kept.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path


def main() -> None:
    rows, work, processes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    shutil.rmtree(work, ignore_errors=True)
    source = work / "rows"
    source.mkdir(parents=True)
    # One file for each process, which reads it as its share.
    files = [(source / f"{number}.jsonl").open("w", encoding="utf-8") for number in range(processes)]
    with rows.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            files[number % processes].write(line)
    for file in files:
        file.close()
    begun = time.perf_counter()
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    config = MinhashConfig()

    def step(name: str, pipeline: list[object], tasks: int) -> LocalPipelineExecutor:
        return LocalPipelineExecutor(
            pipeline=pipeline, tasks=tasks, workers=processes, logging_dir=str(work / "logs" / name)
        )

    reader = JsonlReader(str(source), compression=None)
    signatures, buckets, clusters = (str(work / name) for name in ("signatures", "buckets", "clusters"))
    step("signatures", [reader, MinhashDedupSignature(output_folder=signatures, config=config)], processes).run()
    finder = MinhashDedupBuckets(input_folder=signatures, output_folder=buckets, config=config)
    step("buckets", [finder], config.num_buckets).run()
    step("clusters", [MinhashDedupCluster(input_folder=buckets, output_folder=clusters, config=config)], 1).run()
    writer = JsonlWriter(str(work / "kept"), compression=None)
    step("filter", [reader, MinhashDedupFilter(input_folder=clusters), writer], processes).run()
    seconds = time.perf_counter() - begun
    kept = work / "kept.txt"
    with kept.open("w", encoding="utf-8") as stream:
        for file in sorted((work / "kept").glob("*.jsonl")):
            with file.open(encoding="utf-8") as lines:
                stream.writelines(f"{json.loads(line)['id']}\n" for line in lines)
    print(json.dumps({"numbers": {"seconds": seconds}, "kept": str(kept)}), flush=True)


if __name__ == "__main__":
    main()
