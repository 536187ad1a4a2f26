"""Destroy, verify and certify 100,000 object versions on a real object store, key service and database.

`python -m benchmarks.custody_destroy` starts a stack of its own in a temporary folder, fills it, and runs one sweep.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, TypedDict

HOLDINGS, VERSIONS, LIMIT_SECONDS = 100, 1000, 300
COMMAND = "python -m benchmarks.custody_destroy"
_SIDE_BY_SIDE = 8
_OBJECT_BYTES = 1000


class Row(TypedDict):
    """A figure as docs/benchmarks/custody.md shows it."""

    what: str
    figure: str
    unit: str
    command: str


def figures(holdings: int = HOLDINGS, versions: int = VERSIONS) -> list[Row]:
    """Build the holdings, sweep them, and say how fast that was and how much memory it took."""
    with _stack():
        made = _filled(holdings, versions)
        seconds, processor, early, late, destroyed = _swept()
        left = sum(_left(one) for one in made)
    assert (destroyed, left) == (holdings, 0), (destroyed, left)
    many = f"{holdings * versions:,} object versions in {holdings} holdings"
    told = [
        (f"destroy, verify, certify and vacuum {many}", f"{seconds:.0f}", "s"),
        ("object versions destroyed and verified", f"{holdings * versions / seconds:,.0f}", "1/s"),
        ("processor time of the sweep itself, that of the servers not counted", f"{processor:.0f}", "s"),
        ("resident memory of the sweep, first tenth of its time (highest)", f"{early:.0f}", "MB"),
        ("resident memory of the sweep, last tenth of its time (highest)", f"{late:.0f}", "MB"),
        ("copies that an independent listing finds afterwards", f"{left}", ""),
    ]
    return [Row(what=what, figure=figure, unit=unit, command=COMMAND) for what, figure, unit in told]


@contextmanager
def _stack() -> Iterator[None]:
    from linkage import clock
    from linkage.stack import start, stop

    home, before = Path(tempfile.mkdtemp(prefix="linkage-bench-")), dict(os.environ)
    try:
        start(home, airflow=False, clock="sandbox", tell=lambda _: None)
        for name in [name for name in os.environ if name.startswith("LINKAGE_")]:
            del os.environ[name]
        told = (line.partition("=") for line in (home / "stack.env").read_text().splitlines())
        os.environ.update({name: value for name, _, value in told})
        clock.set_simulated(clock.at(date(2022, 10, 3), 9))
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        stop(home)
        shutil.rmtree(home, ignore_errors=True)


def _filled(holdings: int, versions: int) -> list[Any]:
    """Holdings of so many versions, ten versions of each part."""
    from linkage.custody.stores import objects
    from linkage.custody.vault import Vault

    vault, raw = Vault("authority"), objects.client("authority")._client
    made = [
        vault.put_bytes(b"x" * _OBJECT_BYTES, "delivery", programme=_programme(), natural_key=f"bench:{number}")
        for number in range(holdings)
    ]

    def put(one: tuple[Any, int]) -> None:
        holding, number = one
        key = f"{holding.prefix}{holding.attempt}/{number % (versions // 10) + 1:05d}"
        raw.put_object(Bucket=holding.bucket, Key=key, Body=os.urandom(_OBJECT_BYTES))

    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        list(pool.map(put, ((holding, number) for holding in made for number in range(1, versions))))
    return made


def _programme() -> str:
    from linkage import policy

    return policy.load().name


def _swept() -> tuple[float, float, float, float, int]:
    """Seconds of the sweep by the clock and of processor time, its highest resident memory (MB) in the first and in the
    last tenth, and the holdings destroyed.
    """
    from linkage import clock
    from linkage.custody.destruction.sweep import sweep

    clock.set_simulated(clock.at(date(2022, 10, 30), 12))
    samples: list[float] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(0.1):
            samples.append(_resident_megabytes())

    watch = threading.Thread(target=sample)
    began, used = time.monotonic(), time.process_time()
    watch.start()
    report = sweep()
    seconds, processor = time.monotonic() - began, time.process_time() - used
    ended.set()
    watch.join()
    tenth = max(1, len(samples) // 10)
    return seconds, processor, max(samples[:tenth]), max(samples[-tenth:]), report.destroyed


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _left(holding: Any) -> int:
    from linkage.custody.stores import objects

    return objects.client("verifier-authority").copies(holding.bucket, holding.prefix)


def main() -> None:
    """Print the figures; `docs/benchmarks/custody.md` is assembled from all of custody's."""
    sizes = [int(word) for word in sys.argv[1:3]]
    for row in figures(*sizes):
        print(f"{row['what']}: {row['figure']} {row['unit']}".rstrip())


if __name__ == "__main__":
    main()
