"""Work on many items in several processes."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from medctx.process.parent_death import end_with_parent

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def work(task: Callable[[ItemT], ResultT], items: Sequence[ItemT], processes: int) -> Iterator[tuple[ItemT, ResultT]]:
    """Apply ``task`` to every item and yield items with results in the order of completion.

    Args:
        task: A function that can be pickled, as can its results.
        items: What it is applied to; a single item is worked on in this process.
        processes: Number of processes, 0 for one per core.
    """
    processes = min(processes or cores(), len(items))
    if processes < 2:
        for item in items:
            yield item, task(item)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, end_with_parent) as pool:
        running = {pool.submit(task, item): item for item in items}
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
