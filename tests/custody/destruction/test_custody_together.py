"""Two sweeps at one moment: each holding is destroyed once, whoever comes second waits (D7)."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
from many_versions import pile, seen_by_an_administrator

from linkage.custody.destruction.sweep import sweep
from linkage.custody.evidence import certificate, ledger


def _in_a_process(ready: int, report: Path) -> int:
    """A sweep in a process of its own, which begins when `ready` is closed."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.read(ready, 1)
        told = sweep()
        report.write_text(json.dumps(told.told()))
        code = 0
    finally:
        os._exit(code)


@pytest.mark.servers
def test_sweeps_of_several_processes_at_once_destroy_and_certify_each_holding_once(real_house, tmp_path: Path) -> None:
    """D7, D9: and no count of what was removed is lost between them."""
    made = [real_house.put() for _ in range(12)]
    pile(made, versions=6, markers=4)
    real_house.at(date(2022, 10, 30), 12)
    real_house.register.engine.dispose()
    ready, go = os.pipe()
    files = [tmp_path / f"{number}.json" for number in range(3)]
    children = []
    for file in files:
        children.append(_in_a_process(ready, file))
    os.close(ready)
    os.write(go, b"go!")
    os.close(go)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    reports = [json.loads(file.read_text()) for file in files]
    assert [one["failed"] for one in reports] == [[], [], []]
    assert sum(one["destroyed"] for one in reports) == len(made)
    assert seen_by_an_administrator("authority-vault") == 0
    assert certificate.counts() == {"issued": len(made), "verified": len(made)}
    removed = [certificate.read(row.document)["removed"] for row in real_house.register.certificates()]
    assert {(one["versions"], one["markers"], one["uploads"]) for one in removed} == {(6, 4, 1)}
    with real_house.register.transaction() as session:
        kinds = [json.loads(leaf)["kind"] for leaf in ledger.leaves(session)]
    assert kinds.count("destruction_verified") == kinds.count("certificate_issued") == len(made)
    assert kinds.count("key_destroyed") == 1


def test_two_threads_on_one_machine_destroy_each_holding_once(doubled_house) -> None:
    made = [doubled_house.put() for _ in range(6)]
    doubled_house.at(date(2022, 10, 30), 12)
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: sweep(), range(2)))
    assert sum(one.destroyed for one in reports) == len(made)
    assert [one.failed for one in reports] == [[], []]
    assert len(doubled_house.register.certificates()) == len(made)
