"""Processes a killed stack of THIS home left behind: found by the mark in their environment, ended by process id."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from linkage.stack.layout import MARK, Layout

_PROC = Path("/proc")


def find(layout: Layout) -> set[int]:
    """Ids of this home's processes, their descendants included, this process and its ancestors excluded."""
    mark = f"{MARK}={layout.home}".encode()
    parents: dict[int, int] = {}
    ours: set[int] = set()
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        with suppress(OSError, ValueError):
            # comm may hold spaces and brackets: fields are counted from its last bracket
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state == "Z":
                continue
            parents[pid] = int(parent)
            if mark in (entry / "environ").read_bytes().split(b"\0") or _is_postgres_of(entry, layout):
                ours.add(pid)
    ours |= _descendants(ours, parents)
    return ours - _ancestors(os.getpid(), parents)


def end(layout: Layout, within: float = 10.0) -> int:
    """Kill what `find` finds until nothing is left; the number ended. Every service recovers from its own log."""
    ended: set[int] = set()
    limit = time.monotonic() + within
    while left := find(layout):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended |= left
        if time.monotonic() > limit:
            raise TimeoutError(f"processes of {layout.home} cannot be ended: {sorted(left)}")
        time.sleep(0.05)
    return len(ended)


def _is_postgres_of(entry: Path, layout: Layout) -> bool:
    """PostgreSQL's children overwrite their environment with their title; they all stand in the data folder."""
    with suppress(OSError):
        return (
            entry.joinpath("exe").readlink().name == "postgres" and entry.joinpath("cwd").readlink() == layout.postgres
        )
    return False


def _descendants(of: Iterable[int], parents: dict[int, int]) -> set[int]:
    found: set[int] = set(of)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _ancestors(pid: int, parents: dict[int, int]) -> set[int]:
    line = {pid}
    while (pid := parents.get(pid, 0)) > 1:
        line.add(pid)
    return line
