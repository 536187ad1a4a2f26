"""What the database itself refuses (D4, D7, D11), and what the register answers."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import delete, update
from sqlalchemy.dialects import sqlite

from linkage import clock
from linkage.custody import ledger
from linkage.custody.destruction import destroy
from linkage.custody.models import CertificateRow, HoldingRow, Instant, LedgerRow, ParentRow
from linkage.custody.register import Register, row_of
from linkage.errors import CheckFailed, DependencyUnreachable


def _refused(house, statement, reason: str) -> None:
    with pytest.raises(CheckFailed, match=reason), house.register.transaction() as session:
        session.execute(statement)


def test_a_deadline_never_moves_later(house) -> None:
    held = house.put()
    later = update(HoldingRow).where(HoldingRow.id == held.id).values(legal=held.legal + timedelta(days=1))
    _refused(house, later, "D4: a deadline never moves later")
    _refused(house, update(HoldingRow).values(target=None), "D4: a deadline never moves later")


def test_a_deadline_may_come_nearer(house) -> None:
    held = house.put()
    with house.register.transaction() as session:
        row = row_of(session, held.id)
        row.target = row.legal = held.legal - timedelta(days=1)
    assert house.register.get(held.id).legal == held.legal - timedelta(days=1)


def test_a_child_cannot_be_given_a_source_that_must_go_earlier(house) -> None:
    """D4, also when a program forgets to inherit."""
    early = house.put()
    house.at(date(2022, 10, 10))
    late = house.put(dataset_class="quarantine")
    with pytest.raises(CheckFailed, match="D4: later than its source"), house.register.transaction() as session:
        session.add(ParentRow(child_id=late.id, parent_id=early.id))


def test_a_destruction_is_never_undone(house) -> None:
    held = house.put()
    destroy(held.id, "a test")
    _refused(house, update(HoldingRow).values(state="held"), "D7: a destruction is never undone")
    _refused(house, delete(HoldingRow), "D7: a holding is never deleted")


def test_certificates_and_ledger_cannot_be_edited(house) -> None:
    destroy(house.put().id, "a test")
    _refused(house, update(CertificateRow).values(document="{}"), "D7: a certificate is never changed")
    _refused(house, delete(CertificateRow), "D7: a certificate is never deleted")
    _refused(house, update(LedgerRow).values(leaf="{}"), "D11: the ledger is append-only")
    _refused(house, delete(LedgerRow).where(LedgerRow.seq > 2), "D11: the ledger is append-only")


def test_a_naive_time_is_no_deadline() -> None:
    with pytest.raises(ValueError, match="aware instants"):
        Instant().process_bind_param(datetime(2022, 10, 3), sqlite.dialect())  # noqa: DTZ001


def test_times_come_back_as_they_went_in(house) -> None:
    moment = clock.at(date(2022, 10, 30), 1, 30)
    held = house.put(received_at=clock.at(date(2022, 10, 2), 1, 30))
    assert held.legal == house.register.get(held.id).legal
    assert held.legal == moment


def test_counts_tell_held_destroyed_and_overdue(house) -> None:
    house.put()
    destroy(house.put().id, "a test")
    assert house.register.counts() == {"held": 1, "destroyed": 1, "overdue": 0}
    house.at(date(2022, 11, 1))
    assert house.register.counts() == {"held": 1, "destroyed": 1, "overdue": 1}


def test_due_takes_what_falls_before_the_instant_and_what_is_begun(house) -> None:
    soon, later = house.put(), house.put("ons-identity", "identity_file")
    assert [one.id for one in house.register.due(clock.at(date(2022, 11, 1), 0))] == [soon.id]
    assert [one.id for one in house.register.due(clock.at(date(2022, 12, 1), 0))] == [soon.id, later.id]
    with house.register.transaction() as session:
        row_of(session, later.id).state = "destroying"
    assert later.id in {one.id for one in house.register.due(clock.now())}


def test_an_unreachable_register_says_so_and_nothing_more() -> None:
    with pytest.raises(DependencyUnreachable) as told:
        Register.open("postgresql+psycopg2://linkage:secret@127.0.0.1:1/nothing")
    assert "secret" not in str(told.value)


def test_an_incident_is_recorded_once(house) -> None:
    for _ in range(2):
        house.register.incident("unowned_object", "authority-vault/x/", "found")
    assert len(house.register.incidents()) == 1


def test_the_ledger_numbers_its_entries_without_gaps(house) -> None:
    assert [ledger.record("note", {"n": n}) for n in range(3)] == [0, 1, 2]
