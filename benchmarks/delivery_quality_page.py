"""How long the page of delivery quality takes over 1,000 deliveries: real Airflow with FAB roles, real PostgreSQL, over HTTP.

Nine feeds, a delivery every few days for years; every seventh has faults of several kinds, every fortieth was refused. A figure is
the time from the request to the last byte, Airflow's check of the reader's rights included.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import httpx

from benchmarks.retention_page import serve, took
from benchmarks.runs import PAGES

DELIVERIES = 1_000
ROUNDS = 15
ADDRESSES = {
    "all feeds": "/",
    "one feed, latest deliveries": "/feeds/schools",
    "one feed, last page": "/feeds/schools?page=5",
    "all deliveries as CSV": "/deliveries.csv",
}


def main() -> None:
    """Measure every address and write docs/benchmarks/delivery_quality_page.md."""
    from linkage import stack
    from linkage.custody.register import Register

    home, before = Path(tempfile.mkdtemp(prefix="linkage-bench-")), dict(os.environ)
    try:
        addresses = stack.start(home, airflow=False, clock="sandbox", tell=lambda _: None)
        _fill(Register.open(addresses.register_url))
        serve(home)
        body = {"username": "governance", "password": addresses.users["governance"]}
        token = httpx.post(f"{addresses.ui_url}/auth/token", json=body, timeout=60).json()["access_token"]
        page = f"{addresses.ui_url}/delivery-quality"
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=60) as client:
            told = {name: _times(client, page + address) for name, address in ADDRESSES.items()}
    finally:
        os.environ.clear()
        os.environ.update(before)
        stack.stop(home)
        shutil.rmtree(home, ignore_errors=True)
    lines = [
        "# The page of delivery quality over 1,000 deliveries",
        "",
        f"`python -m benchmarks delivery_quality_page`: {DELIVERIES:,} checked deliveries in the ledger, {ROUNDS} requests of each",
        f"address after a first one, {os.cpu_count()} cores; milliseconds.",
        "",
        "| | Median | Slowest |",
        "|---|---|---|",
        *(f"| {name} | {statistics.median(times):.0f} | {max(times):.0f} |" for name, times in told.items()),
        "",
    ]
    (PAGES / "delivery_quality_page.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


def _times(client: httpx.Client, address: str) -> list[float]:
    took(client, address)
    return [took(client, address) for _ in range(ROUNDS)]


def _fill(register: Any) -> None:
    """The entries that as many checks would have left, in one transaction."""
    from linkage.custody.evidence import ledger
    from linkage.feeds import FEEDS, loading, quality

    entries = []
    for number in range(DELIVERIES):
        contract = loading.load(FEEDS[number % len(FEEDS)])
        faulty, refused = number % 7 == 0, number % 40 == 39
        facts = {
            "feed": contract.feed,
            "contract": contract.id,
            "delivered_on": f"20{10 + number // 365}-{1 + number // 28 % 12:02}-{1 + number % 28:02}",
            "holding": f"hld_{number:032x}",
            "outcome": "refused" if refused else "accepted",
            "reason": "checksum_mismatch" if refused else None,
            "where": None,
            "delivered": 0 if refused else 5_000 + number,
            "accepted": 0 if refused else 5_000 + number - 30 * faulty,
            "quarantined": 30 * faulty,
            "before": 5_000 + number - 9,
            "faults": [[name, "missing_value", 3] for name in contract.names[:10]] if faulty else [],
            "flags": {column.flag_name: 12 for column in contract.identifiers},
            "filled": {column.name: 0.9 for column in contract.columns if not column.required},
            "shifts": {column.name: 0.02 for column in contract.kept if column.kind in ("code", "flag")},
            "expectations": 66,
        }
        entries.append(ledger.Entry(quality.KIND, facts, f"checked|{number}"))
    with register.transaction() as session:
        ledger.append_all(session, entries)


if __name__ == "__main__":
    main()
