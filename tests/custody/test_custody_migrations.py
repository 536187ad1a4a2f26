"""An older register, with a life in it, becomes today's: nothing is lost, its ledger goes on, its holdings can go (D4, D7)."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, column, create_engine, inspect, select, table

from linkage import clock
from linkage.custody import holds
from linkage.custody.destruction import chain as destruction
from linkage.custody.destruction.sweep import sweep
from linkage.custody.evidence import certificate, ledger, merkle
from linkage.custody.migrations import versions
from linkage.custody.models import Base
from linkage.custody.register import Register, upgrade
from linkage.errors import CheckFailed

OLDER = sorted(file.name[1:5] for file in Path(versions.__path__[0]).glob("r0*.py"))[:-1]
# In the order the guards ask for: a certificate needs its verified step, a parent its child.
TABLES = (
    "holdings",
    "key_encryption_keys",
    "holding_parents",
    "destruction_steps",
    "certificates",
    "ledger_entries",
    "sweeps",
    "incidents",
)

OWN_NUMBERS = {"sweeps": {"id"}, "incidents": {"id"}}


def _rows(engine: Engine, names: tuple[str, ...] = TABLES) -> dict[str, list[dict[str, Any]]]:
    with engine.connect() as connection:
        return {
            name: [dict(row) for row in connection.execute(select(Base.metadata.tables[name])).mappings()]
            for name in names
        }


def _comparable(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    plain = [{key: value for key, value in row.items() if key not in OWN_NUMBERS.get(name, ())} for row in rows]
    return sorted(plain, key=str)


@contextmanager
def _older_register(house, revision: str, tmp_path: Path) -> Iterator[tuple[str, Engine]]:
    """An empty register as that revision left it: a file, or a schema of its own on the same server."""
    if not house.real:
        url = f"sqlite:///{tmp_path / 'older.sqlite'}"
        engine = create_engine(url)
        upgrade(engine, revision)
        yield url, engine
        engine.dispose()
        return
    schema = f"older{uuid.uuid4().hex[:12]}"
    plain = os.environ["PLAIN_REGISTER_URL"]
    url = f"{plain}{'&' if '?' in plain else '?'}options=-csearch_path%3D{schema}"
    admin, engine = create_engine(plain), create_engine(url)
    with admin.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    try:
        upgrade(engine, revision)
        yield url, engine
    finally:
        engine.dispose()
        Register.open(url).engine.dispose()
        with admin.begin() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
        admin.dispose()


def _fill(engine: Engine, told: dict[str, list[dict[str, Any]]]) -> None:
    """The rows, without the columns that revision did not have yet and without numbers the database gives itself."""
    with engine.begin() as connection:
        for name in TABLES:
            there = {one["name"] for one in inspect(connection).get_columns(name)}
            taken = there - OWN_NUMBERS.get(name, set())
            rows = [{key: value for key, value in row.items() if key in taken} for row in told[name]]
            # A table of these columns alone: today's would add its defaults for columns that are not there yet.
            columns = [column(key, Base.metadata.tables[name].c[key].type) for key in sorted(taken)]
            connection.execute(table(name, *columns).insert(), rows)


@pytest.mark.parametrize("revision", OLDER)
def test_an_older_register_with_a_life_in_it_becomes_todays(house, revision: str, tmp_path: Path, monkeypatch) -> None:
    gone, due, kept = house.put(), house.put(), house.put()
    made = house.put("authority", "people", parents=[due.id, kept.id])
    destruction.destroy(gone.id, "a test")
    holds.place(kept.id, "Family Court", "case 1", clock.at(date(2022, 12, 24), 9))
    house.register.incident("unowned", "something", "left behind", "authority")
    sweep()
    before = _rows(house.register.engine)
    assert all(before.values()), "a table without a row would be a test of nothing"

    with _older_register(house, revision, tmp_path) as (url, engine):
        _fill(engine, before)
        monkeypatch.setenv("LINKAGE_REGISTER_URL", url)
        register = Register.open()
        after = _rows(register.engine)
        for name in TABLES:
            assert _comparable(name, after[name]) == _comparable(name, before[name]), name

        # The old certificate still holds, and the ledger goes on from where it stood.
        assert certificate.counts() == {"issued": 1, "verified": 1}
        ledger.record("note", {"after": revision})
        with register.transaction() as session:
            leaves = ledger.leaves(session)
            head = ledger._frontier(session).head()
        assert head == merkle.root(merkle.leaf_hash(leaf.encode()) for leaf in leaves)

        # The guards hold for what is older than they are.
        with pytest.raises(CheckFailed, match="D4"), register.transaction() as session:
            session.connection().exec_driver_sql("UPDATE holding_parents SET parent_id = 'hld_other'")

        # And what was due goes, with its certificate; what a court keeps stays.
        house.at(date(2022, 10, 30), 12)
        assert sweep().failed == []
        states = {one.id: one.state for one in register.find(state=None)}
        assert states == {gone.id: "destroyed", due.id: "destroyed", made.id: states[made.id], kept.id: "held"}
        assert certificate.counts()["verified"] == list(states.values()).count("destroyed")
