"""Work on both files at once: most of it leaves Python's lock alone, and single columns use one processor each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import TypeVar

import polars as pl

_T = TypeVar("_T")
_here = local()  # whether this thread is at a task


def at_once(*tasks: Callable[[], _T]) -> list[_T]:
    """What each task returns, in their order, as many at a time as there are processors.

    A task that divides itself further does its parts one after another: the other processors have tasks of their own.
    The first task's error is raised, once all have ended.
    """
    if getattr(_here, "busy", False) or len(tasks) < 2:
        return [task() for task in tasks]
    with ThreadPoolExecutor(max_workers=max(2, pl.thread_pool_size()), initializer=_begin) as pool:
        return [future.result() for future in [pool.submit(task) for task in tasks]]


def _begin() -> None:
    _here.busy = True
