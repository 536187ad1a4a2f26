"""Legal holds: by whose order, over what, until when; and the end that comes by itself (D12)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from linkage import clock
from linkage.custody import holds
from linkage.custody.destruction.sweep import sweep
from linkage.custody.evidence import certificate, ledger
from linkage.errors import CheckFailed, Misuse

UNTIL = clock.at(date(2022, 11, 10), 12)


def test_a_hold_ends_by_itself_and_the_next_sweep_destroys(house) -> None:
    """D12: nobody has to remember to lift it."""
    held = house.put()
    holds.place(held.id, "County Court", "claim 1", UNTIL)
    house.at(date(2022, 11, 10), 3, 30)
    assert sweep().blocked == [held.id]
    assert house.register.get(held.id).state == "held"
    house.at(date(2022, 11, 11), 3, 30)
    report = sweep()
    assert (report.blocked, report.destroyed) == ([], 1)
    assert house.register.get(held.id).state == "destroyed"


def test_the_certificate_says_that_a_hold_kept_it_and_that_the_deadline_was_broken(house) -> None:
    """D9, D12."""
    held = house.put()
    holds.place(held.id, "County Court", "claim 1", UNTIL)
    house.at(date(2022, 11, 11), 3, 30)
    sweep()
    told = certificate.read(house.register.certificate(held.id).document)["exceptions"]
    assert any("legal hold of County Court" in one for one in told)
    assert "destroyed after its legal deadline: a breach" in told


def test_a_lifted_hold_still_stands_in_the_certificate_and_the_ledger(house) -> None:
    """D11, D12."""
    held = house.put()
    holds.place(held.id, "County Court", "claim 1", UNTIL)
    holds.lift(held.id)
    house.at(date(2022, 10, 30), 12)
    sweep()
    told = certificate.read(house.register.certificate(held.id).document)["exceptions"]
    assert any("legal hold of County Court" in one for one in told)
    assert [facts["holding"] for facts in ledger.facts("hold_lifted")] == [held.id]


def test_the_ledger_says_from_when_a_hold_is_a_breach(doubled_house) -> None:
    """D12."""
    within, beyond = doubled_house.put(), doubled_house.put()
    holds.place(within.id, "County Court", "claim 1", within.legal - timedelta(days=1))
    holds.place(beyond.id, "County Court", "claim 2", UNTIL)
    assert [facts["breach_from"] for facts in ledger.facts("hold_placed")] == [None, beyond.legal.isoformat()]
    assert not holds.outlasts_deadline(doubled_house.register.get(within.id))
    assert holds.outlasts_deadline(doubled_house.register.get(beyond.id))


def test_the_same_authority_moves_its_end_and_no_other_does(doubled_house) -> None:
    """D12: nobody's hold is ended by accident."""
    held = doubled_house.put()
    holds.place(held.id, "County Court", "claim 1", UNTIL)
    with pytest.raises(CheckFailed, match="under a hold of County Court until 2022-11-10"):
        holds.place(held.id, "Information Commissioner", "case 2", UNTIL + timedelta(days=9))
    assert holds.place(held.id, "County Court", "claim 1", UNTIL + timedelta(days=1)).hold_until == UNTIL + timedelta(
        days=1
    )
    doubled_house.at(date(2022, 11, 12))
    assert holds.place(
        held.id, "Information Commissioner", "case 2", UNTIL + timedelta(days=9)
    ).hold_authority.startswith("I")


def test_a_hold_that_names_a_person_is_refused(doubled_house) -> None:
    """D10: authority and scope outlive the data."""
    held = doubled_house.put()
    with pytest.raises(Misuse, match="D10"):
        holds.place(held.id, "County Court", "everything on AB123456C", UNTIL)


def test_holds_in_force_are_listed_by_their_end_and_ended_ones_when_asked_for(house) -> None:
    one, other = house.put(), house.put()
    holds.place(one.id, "County Court", "claim 1", UNTIL)
    holds.place(other.id, "County Court", "claim 1", UNTIL - timedelta(days=9))
    now = clock.now()
    assert [held.id for held in holds.placed(now)] == [other.id, one.id]
    assert [held.id for held in holds.placed(UNTIL - timedelta(days=1))] == [one.id]
    assert [held.id for held in holds.placed(UNTIL - timedelta(days=1), ended=True)] == [other.id, one.id]
