"""Work on both files at once: most of it leaves Python's lock alone, and single columns use one processor each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import polars as pl

_T = TypeVar("_T")


def at_once(*tasks: Callable[[], _T]) -> list[_T]:
    """What each task returns, in their order, as many at a time as there are processors.

    The first task's error is raised, once all have ended.
    """
    with ThreadPoolExecutor(max_workers=max(2, pl.thread_pool_size())) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]
