"""Reading and turning rows into Dialogues: medctx's own readers beside the library ``datasets``, on one file.

    python -m bench.scale.data_readers FILE.jsonl

``by_medctx``: rows streamed, made into Dialogues and stored in shards, as a mix does with one source, in one process.
``datasets``: the same file by ``load_dataset("json")`` and ``map`` into the columns of a Dialogue, by one process and
by two. Seconds of wall and of processor, the library's import apart. ``broken``: what either says of a line that is
cut off.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from medctx.facts.curriculum import CurriculumConfig
from medctx_data.row_store.rows import gather
from medctx_data.sources.config import SourceConfig
from medctx_data.sources.registry import open_source


def _processor() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def timed(label: str, task: Callable[[], object]) -> None:
    begin, before = time.perf_counter(), _processor()
    result = task()
    print(f"{label:22} {time.perf_counter() - begin:6.1f} s  {_processor() - before:6.1f} s cpu  {result}", flush=True)


def by_medctx(path: Path, folder: Path) -> str:
    """Dialogues of ``path`` in shards in ``folder``."""
    config = SourceConfig(source="alpaca", path=path)
    supply = open_source(config, 0, CurriculumConfig.model_validate({}))
    assert supply.read is not None
    gathered = gather(supply.read, "alpaca", folder, keep=True)
    broken = [f"{row.place} {row.detail}" for row in gathered.skipped]
    return f"{len(gathered.rows):,} rows {'; '.join(broken)}"


def _as_dialogue(row: dict[str, str], number: int) -> dict[str, object]:
    question = "\n\n".join(part for part in (row["instruction"], row["input"]) if part)
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": row["output"]}]
    return {"id": f"alpaca-{number + 1}", "domain": "general", "source": "alpaca", "turns": turns}


def by_library(path: Path, folder: Path, processes: int) -> str:
    """The same by ``datasets``."""
    import datasets

    datasets.disable_progress_bars()
    try:
        loaded = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(folder))
    except Exception as error:
        return f"no row: {type(error).__name__} ({str(error).splitlines()[0]})"
    made = loaded.map(_as_dialogue, with_indices=True, num_proc=processes, remove_columns=loaded.column_names)
    return f"{len(made):,} rows"


def main() -> None:
    """Print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    path: Path = parser.parse_args().file
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        broken = work / "broken.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)[:2_000]
        broken.write_bytes(b"".join([*lines[:1_000], lines[1_000][:20] + b"\n", *lines[1_001:]]))
        timed("own", lambda: by_medctx(path, work / "own"))
        timed("import datasets", lambda: __import__("datasets").__version__)
        for processes in (1, 2):
            folder = work / f"library-{processes}"
            timed(f"datasets, {processes} process(es)", lambda: by_library(path, folder, processes))  # noqa: B023
        timed("own, broken", lambda: by_medctx(broken, work / "own-broken"))
        timed("datasets, broken", lambda: by_library(broken, work / "library-broken", 1))


if __name__ == "__main__":
    main()
