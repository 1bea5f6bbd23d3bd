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
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def work(task: Callable[[ItemT], ResultT], items: Sequence[ItemT], processes: int) -> Iterator[tuple[ItemT, ResultT]]:
    """Do ``task`` with every item and yield the items with what it gave, in the order they are done.

    ``processes``: how many at once, 0 for one on each core. One item is done in this process. ``task`` and what it
    gives are pickled.
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
            for done in as_completed(running):
                yield running[done], done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
