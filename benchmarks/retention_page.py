"""How long the Retention page takes over 100,000 holdings: real Airflow with FAB roles, real PostgreSQL, over HTTP.

Half of the holdings are destroyed and certified, the others spread over a year of deadlines. A figure is the time from the
request to the last byte, Airflow's check of the reader's rights included.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypedDict

import httpx
from sqlalchemy import Engine, create_engine, text

HOLDINGS = 100_000
ROUNDS = 9
COMMAND = "python -m benchmarks.retention_page"
OUT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "retention_page.md"
PAGES = {
    "first page of what is held": "/",
    "a page in the middle of what is held": "/?page=500",
    "last page of what is held": "/?page=1000",
    "first page of what is destroyed": "/?state=destroyed",
    "last page of what is destroyed": "/?state=destroyed&page=1000",
    "a page in the middle of everything": "/?state=all&page=1000",
    "what is due": "/?state=due",
    "what is overdue": "/?state=overdue",
    "what is not verified": "/?state=unverified",
    "what is on hold": "/?state=on-hold",
    "one holder and one kind of data, a page in the middle": "/?holder=dwp&class=quarantine&page=20",
    "search for the beginning of a number": "/?search=hld_ab",
    "search for one number": "/?search={holding}",
    "one holding": "/holdings/{holding}",
    "one page as JSON": "/holdings.json?page=500",
}

_FILLED = """
INSERT INTO holdings (
  id, store, holder, dataset_class, programme, wave, label, natural_key, purpose, lawful_basis,
  received_at, target, legal, rule, reclassified, bucket, prefix, kek, wrapped_dek, parts, bytes, content_mac,
  state, destroyed_at, simulated, created_at, hold_authority, hold_scope, hold_until
)
SELECT
  'hld_' || md5('h' || i), store, split_part(store, '-', 1), (:classes)[1 + (i / 16) % 5], 'troubled_families_2015_2020',
  '2022-autumn', 'feed ' || i % 6, 'key:' || i, 'a benchmark', 'Digital Economy Act 2017 s.64',
  now() - interval '1 day' * (i % 400), now() + interval '1 minute' * (i % 525600 - 3000),
  now() + interval '1 minute' * (i % 525600 - 60), 'one_month', false,
  store || '-vault', 'holdings/' || md5('h' || i) || '/', store || '.20221031',
  CASE WHEN live THEN repeat('x', 120) END, 3, 1000000, CASE WHEN live THEN md5('m' || i) END,
  CASE WHEN NOT live THEN 'destroyed' WHEN i % 1600 = 0 THEN 'destroying' ELSE 'held' END,
  CASE WHEN NOT live THEN now() - interval '1 minute' * (i % 400000) END, true, now(),
  CASE WHEN i % 1600 = 1 THEN 'a court' END, CASE WHEN i % 1600 = 1 THEN 'a claim' END,
  CASE WHEN i % 1600 = 1 THEN now() + interval '40 days' END
FROM generate_series(1, :holdings) i
CROSS JOIN LATERAL (SELECT (:stores)[1 + i % 8] AS store, (i / 8) % 2 = 0 AS live) told
"""
_STORES = ["authority", "ons-identity", "ons-linker", "ons-research", "dwp", "moj", "dfe", "mhclg"]
_CLASSES = ["delivery", "quarantine", "department_request", "issue_evidence", "linked_file"]
_VERIFIED = """
INSERT INTO destruction_steps (holding_id, step, at, detail)
SELECT id, 'verified', destroyed_at, '{}' FROM holdings WHERE destroyed_at IS NOT NULL
"""
_CERTIFICATES = """
INSERT INTO certificates (id, holding_id, issued_at, document, sha256, simulated)
SELECT replace(id, 'hld_', 'crt_'), id, destroyed_at, (SELECT string_agg(md5(id || j), '') FROM generate_series(1, 80) j),
  md5(id), true FROM holdings WHERE destroyed_at IS NOT NULL AND (id LIKE 'hld_00%') = :late
"""


class Row(TypedDict):
    """One figure and the command that makes it."""

    what: str
    figure: str
    unit: str
    command: str


def figures() -> list[Row]:
    """Every page's median and slowest time, and the whole list as a spreadsheet."""
    with _served() as (page, headers, holding, engine):
        told: list[tuple[str, str, str]] = []
        with httpx.Client(base_url=page, headers=headers, timeout=60) as client:
            worst = []
            times = sorted(took(client, "/") for _ in range(ROUNDS))
            what = f"first page while some hundred destructions have no certificate, median of {ROUNDS}"
            told.append((what, f"{statistics.median(times):.0f}", "ms"))
            _certify(engine, late=True)
            for what, address in PAGES.items():
                times = sorted(took(client, address.format(holding=holding)) for _ in range(ROUNDS))
                worst.append(times[-1])
                told.append((f"{what}, median of {ROUNDS}", f"{statistics.median(times):.0f}", "ms"))
            told.append((f"slowest of all {ROUNDS * len(PAGES)} requests", f"{max(worst):.0f}", "ms"))
            began = time.perf_counter()
            lines = client.get("/holdings.csv?state=all").text.count("\n")
            seconds = time.perf_counter() - began
        told.append((f"the whole list as CSV, {lines - 1:,} rows", f"{seconds:.1f}", "s"))
    return [Row(what=what, figure=figure, unit=unit, command=COMMAND) for what, figure, unit in told]


def main() -> None:
    """Measure and write docs/benchmarks/retention_page.md."""
    rows = figures()
    lines = [f"| {row['what']} | {row['figure']} {row['unit']} |" for row in rows]
    OUT.write_text(
        f"# The Retention page over {HOLDINGS:,} holdings\n\n{(__doc__ or '').split('.', 1)[1].strip()}\n\n"
        f"    {COMMAND}\n\nTwo cores, and everything on them: browser's side, Airflow, PostgreSQL.\n\n"
        "| What | Figure |\n|---|---|\n" + "\n".join(lines) + "\n",
        encoding="utf-8",
    )
    print(OUT.read_text(encoding="utf-8"))


def took(client: httpx.Client, address: str) -> float:
    """Milliseconds until the last byte."""
    began = time.perf_counter()
    client.get(address).raise_for_status()
    return (time.perf_counter() - began) * 1000


@contextmanager
def _served() -> Iterator[tuple[str, dict[str, str], str, Engine]]:
    """The page's address, a governance reader's headers, the number of one holding, and the register."""
    from linkage import stack
    from linkage.custody.register import Register

    home, before = Path(tempfile.mkdtemp(prefix="linkage-bench-")), dict(os.environ)
    try:
        addresses = stack.start(home, airflow=False, clock="sandbox", tell=lambda _: None)
        Register.open(addresses.register_url)
        engine = create_engine(addresses.register_url)
        holding = _fill(engine)
        serve(home)
        body = {"username": "governance", "password": addresses.users["governance"]}
        token = httpx.post(f"{addresses.ui_url}/auth/token", json=body, timeout=60).json()["access_token"]
        yield f"{addresses.ui_url}/retention", {"Authorization": f"Bearer {token}"}, holding, engine
        engine.dispose()
    finally:
        os.environ.clear()
        os.environ.update(before)
        stack.stop(home)
        shutil.rmtree(home, ignore_errors=True)


def serve(home: Path) -> None:
    """Airflow's database, roles and API server: the page needs no scheduler, which would be measured with it."""
    from linkage.settings import REPOSITORY
    from linkage.stack import airflow, ports
    from linkage.stack.layout import Layout
    from linkage.stack.secrets import Secrets
    from linkage.stack.supervision import Supervisor

    layout = Layout.of(home)
    code = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "deploy")])
    airflow.bootstrap(layout, {**os.environ, "PYTHONPATH": code, "LINKAGE_HOME": str(home)}, Secrets(home).stack)
    supervisor = Supervisor(layout)
    supervisor.start("api-server")
    supervisor.await_ready("api-server", lambda: "metadatabase" in airflow.health(ports.remembered(home)))


def _fill(engine: Engine) -> str:
    told: dict[str, Any] = {"holdings": HOLDINGS, "stores": _STORES, "classes": _CLASSES}
    # The guards look at every row as it comes. In real use rows come one by one, and the statistics by which PostgreSQL
    # finds what the guards ask for keep up; of a hundred thousand at once they know nothing yet.
    unguarded = (text("ALTER TABLE holdings DISABLE TRIGGER USER"), text("ALTER TABLE holdings ENABLE TRIGGER USER"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(unguarded[0])
        connection.execute(text(_FILLED), told)
        connection.execute(unguarded[1])
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text(_VERIFIED))
        found = connection.execute(text("SELECT min(id) FROM holdings WHERE state = 'held'")).scalar_one()
    _certify(engine, late=False)
    return str(found)


def _certify(engine: Engine, late: bool) -> None:
    """Certificates of what is destroyed: of most at first, of the rest when `late`."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
        connection.execute(text(_CERTIFICATES), {"late": late})
        connection.execute(text("VACUUM ANALYZE"))


if __name__ == "__main__":
    main()
