"""How fast the ledger takes entries on PostgreSQL, and how fast an auditor verifies a million of them offline.

`python -m benchmarks.custody_ledger` starts a stack of its own in a temporary folder and fills a real ledger.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ENTRIES, BATCH, SINGLE, WRITERS = 1_000_000, 1_000, 2_000, 4
COMMAND = "python -m benchmarks.custody_ledger"
_FACTS = {"holding": "hld_" + "0" * 32, "store": "authority", "dataset_class": "delivery", "reason": "a benchmark"}


def figures(entries: int = ENTRIES) -> list[dict[str, str]]:
    """Rows `what, figure, unit, command`. Every append is committed and flushed to disk before the next one counts."""
    with _stack() as home:
        from linkage.custody.evidence import ledger

        bare, single = _rate(SINGLE, _bare_rows), _rate(SINGLE, lambda: _one_by_one(SINGLE))
        rows = [
            _row("write a bare row and commit it, one writer: what this disk allows", bare, "1/s"),
            _row("append, one writer, one entry a transaction", single, "1/s"),
            _row("share of what the disk allows", 100 * single / bare, "%"),
            _row(f"append, {WRITERS} writers at once, one entry a transaction", SINGLE / _together(), "1/s"),
        ]
        for number in (10, 100):
            told = f"append, one writer, {number:,} entries a transaction"
            rows.append(_row(told, _rate(10 * SINGLE, lambda number=number: _batches(10 * SINGLE, number)), "1/s"))
        left = entries - 2 * SINGLE - WRITERS - 20 * SINGLE
        rows.append(
            _row(
                f"append, one writer, {BATCH:,} entries a transaction",
                _rate(left, lambda: _batches(left, BATCH)),
                "1/s",
            )
        )
        size = f"a ledger of {entries:,} entries"
        rows.append(
            _row(f"sign a checkpoint of {size} and keep it with the witness", 1000 * _seconds(ledger.checkpoint), "ms")
        )
        rows.append(_row(f"prove an entry in {size}", 1000 * _seconds(lambda: ledger.proof(entries // 3)), "ms"))
        for name in ("ledger.jsonl", "ledger.jsonl.gz"):
            file = home / name
            rows.append(_row(f"export {size}, {name}", _seconds(lambda file=file: ledger.export(file)), "s"))
            rows.append(_row(f"size of {name}", file.stat().st_size / 1e6, "MB"))
            seconds, megabytes = _verified(file, entries)
            command = f"linkage ledger verify {name} --checkpoint {name}.checkpoint.json"
            rows.append(_row(f"verify {size}, {name}, offline, the whole command", seconds, "s", command))
            rows.append(_row("highest resident memory of that command", megabytes, "MB", command))
        rows.append(_row(f"verify {size} in the register against every checkpoint", _seconds(_verify_live), "s"))
    return rows


def main() -> None:
    """Print the figures."""
    for row in figures(int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES):
        print(f"{row['what']:86s} {row['figure']:>9} {row['unit']:5s} {row['command']}")


def _row(what: str, figure: float, unit: str, command: str = COMMAND) -> dict[str, str]:
    shown = f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}"
    return {"what": what, "figure": shown, "unit": unit, "command": command}


def _rate(number: int, work: Callable[[], Any]) -> float:
    return number / _seconds(work)


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _one_by_one(number: int) -> None:
    from linkage.custody.evidence import ledger

    for _ in range(number):
        ledger.record("benchmark", _FACTS)


def _bare_rows() -> None:
    """The least a committed row can cost: one insert into a table of one column, and a flush to disk."""
    from sqlalchemy import text

    from linkage.custody.register import Register

    engine = Register.open().engine
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE bare (number integer)"))
    raw = engine.raw_connection()
    with raw.cursor() as cursor:
        for number in range(SINGLE):
            cursor.execute("INSERT INTO bare VALUES (%s)", (number,))
            raw.commit()
    raw.close()
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE bare"))


def _together() -> float:
    """Seconds for the same number of entries by several processes at once, from when all of them stand ready."""
    ready, ends = get_context("fork").Barrier(WRITERS), get_context("fork").SimpleQueue()

    def write() -> None:
        _one_by_one(1)  # a process opens its own connection first
        ready.wait()
        began = time.monotonic()
        _one_by_one(SINGLE // WRITERS)
        ends.put((began, time.monotonic()))

    writers = [get_context("fork").Process(target=write) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    told = [ends.get() for _ in writers]
    for writer in writers:
        writer.join()
    return max(end for _, end in told) - min(began for began, _ in told)


def _batches(number: int, size: int) -> None:
    from linkage.custody.evidence import ledger
    from linkage.custody.register import Register

    register = Register.open()
    for start in range(0, number, size):
        with register.transaction() as session:
            entries = [ledger.Entry("benchmark", _FACTS)] * min(size, number - start)
            ledger.append_all(session, entries)


def _verified(file: Path, entries: int) -> tuple[float, float]:
    """Seconds and megabytes of the command as an auditor runs it."""
    kept = file.with_name(file.name + ".checkpoint.json")
    command = [
        sys.executable,
        "-c",
        "from linkage.cli import main; main()",
        "ledger",
        "verify",
        file,
        "--checkpoint",
        kept,
    ]
    began = time.perf_counter()
    told = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    seconds = time.perf_counter() - began
    assert told.stdout.startswith(f"{entries} entries; the first {entries} are those the witness signed"), told.stdout
    # Of all children so far; the one before it was smaller or the same command.
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000


def _verify_live() -> None:
    from linkage.custody.evidence import ledger

    told = ledger.verify_live()
    assert told["ok"], told


@contextmanager
def _stack() -> Iterator[Path]:
    """PostgreSQL, SeaweedFS and OpenBao of our own in a temporary home, removed afterwards."""
    from linkage.stack import start, stop

    home, before = Path(tempfile.mkdtemp(prefix="linkage-bench-")), dict(os.environ)
    try:
        start(home, airflow=False, clock="real", tell=lambda _: None)
        os.environ["LINKAGE_HOME"] = str(home)
        yield home
    finally:
        os.environ.clear()
        os.environ.update(before)
        stop(home)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
