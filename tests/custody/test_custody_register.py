"""What the database itself refuses (D4, D7, D11), and what the register answers."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import bindparam, delete, text, update
from sqlalchemy.dialects import sqlite

from linkage import clock
from linkage.custody.destruction.chain import destroy
from linkage.custody.evidence import ledger
from linkage.custody.models import CertificateRow, HoldingRow, Instant, LedgerRow, ParentRow
from linkage.custody.register import Register, row_of
from linkage.custody.vault import Vault
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


RAW = {
    "a source brought nearer than what was made from it": (
        "UPDATE holdings SET target = :early, legal = :early WHERE id = :source",
        "D4: earlier than what was made from it",
    ),
    "an origin exchanged": ("UPDATE holding_parents SET parent_id = :child", "D4: an origin is never changed"),
    "an origin forgotten": ("DELETE FROM holding_parents", "D4: an origin is never forgotten"),
    "a class declared harmless afterwards": (
        "UPDATE holdings SET reclassified = :yes WHERE id = :child",
        "D4: a holding is not reclassified afterwards",
    ),
    "the clock started again": (
        "UPDATE holdings SET received_at = :later WHERE id = :child",
        "D2: the clock never starts again",
    ),
    "a later deadline": ("UPDATE holdings SET legal = :later WHERE id = :child", "D4: a deadline never moves later"),
    "a certificate of what was not verified": (
        "INSERT INTO certificates VALUES ('crt_x', :child, :later, '{}', 'x', :yes)",
        "D7: nothing is certified that was not verified",
    ),
    "a step undone": ("DELETE FROM destruction_steps", "D7: a step that is done stays done"),
    "a step rewritten": ("UPDATE destruction_steps SET detail = '{}'", "D7: a step that is done stays done"),
    "a destroyed key back": (
        "UPDATE key_encryption_keys SET destroyed_at = NULL",
        "D6: a destroyed key does not come back",
    ),
    "a key forgotten": ("DELETE FROM key_encryption_keys", "D6: a key is destroyed, never forgotten"),
    "a wrapped key put back": (
        "UPDATE holdings SET wrapped_dek = 'x' WHERE id = :gone",
        "D7: an erased key does not come back",
    ),
}


@pytest.mark.parametrize(("statement", "reason"), RAW.values(), ids=RAW)
def test_raw_sql_cannot_soften_a_promise(house, statement: str, reason: str) -> None:
    """D2, D4, D6, D7: whoever has the register's password and a reason."""
    gone = house.put()
    destroy(gone.id, "a test", horizon=clock.at(date(2022, 11, 1), 12))
    house.at(date(2022, 10, 4))
    source = house.put()
    child = house.put(dataset_class="quarantine", parents=[source.id])
    moments = {"early": clock.at(date(2022, 10, 5), 0), "later": clock.at(date(2023, 1, 1), 0)}
    values = {"source": source.id, "child": child.id, "gone": gone.id, "yes": True, **moments}
    bound = text(statement)
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    bound = bound.bindparams(*(bindparam(name, type_=Instant()) for name in used if name in moments))
    with pytest.raises(CheckFailed, match=reason), house.register.transaction() as session:
        session.execute(bound, used)


def test_a_source_that_is_registered_after_its_child_must_not_go_earlier(house) -> None:
    """D4: a child may name a source at another holder, whose row comes into this register later."""
    house.at(date(2022, 10, 10))
    child = house.put()
    with house.register.transaction() as session:
        session.add(ParentRow(child_id=child.id, parent_id="hld_elsewhere"))
    row = {**{one.name: getattr(child, one.name) for one in fields(child)}, "id": "hld_elsewhere", "natural_key": "e"}
    earlier = child.legal - timedelta(days=1)
    with pytest.raises(CheckFailed, match="D4: a source that must go earlier"), house.register.transaction() as session:
        session.add(HoldingRow(**{**row, "target": earlier, "legal": earlier, "created_at": clock.now()}))
    with house.register.transaction() as session:
        session.add(HoldingRow(**row, created_at=clock.now()))


def test_a_list_that_a_newer_one_replaced_goes_earlier_and_what_was_made_from_it_stays(house) -> None:
    """D4, D16: the nearer date is the list's own; what was properly made from it keeps the deadline it was given."""
    old = house.put(dataset_class="family_list")
    made = house.put(dataset_class="family_list", parents=[old.id])
    new = house.put(dataset_class="family_list")
    assert Vault("authority").supersede(old, new).legal < made.legal
    assert house.register.get(made.id).legal == made.legal


def test_a_copy_sent_from_any_time_zone_starts_no_new_month(house) -> None:
    """D1, D2: the same content, its receipt told in Auckland and in Honolulu time."""
    moment = clock.at(date(2022, 10, 2), 23, 30)
    first = house.put(data=b"letter", natural_key="london", received_at=moment)
    for name in ("Pacific/Auckland", "Pacific/Honolulu"):
        again = house.put(data=b"letter", natural_key=name, received_at=moment.astimezone(ZoneInfo(name)))
        assert (again.received_at, again.target, again.legal) == (first.received_at, first.target, first.legal)
    house.at(date(2022, 10, 20))
    later = house.put(data=b"letter", natural_key="again")
    assert later.legal == first.legal


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
