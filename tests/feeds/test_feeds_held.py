"""A delivery held for a person: it waits, a named person's word lets it in or turns it away, and the next run obeys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from base_stack import base_stack
from police_files import land

from linkage.custody import history
from linkage.custody.vault import Vault
from linkage.errors import Misuse
from linkage.feeds import answer, held, receipt
from linkage.stack import StackAddresses

pytestmark = [pytest.mark.servers, pytest.mark.gx]
DAY = date(2022, 10, 3)


@pytest.fixture(scope="module")
def vault() -> Iterator[Vault]:
    """A stack of its own: the deliveries in force here are nobody else's."""
    with base_stack() as stack:
        assert isinstance(stack, StackAddresses)
        yield Vault("authority")


def outcomes() -> list[str]:
    return [one.outcome for one in receipt.receive("police", DAY)]


def test_a_held_delivery_waits_is_confirmed_by_name_and_loaded_once_by_the_next_run(vault: Vault) -> None:
    """N1, D4, D16: nothing is lost, nothing is loaded unseen, and the deadline is that of the bytes that came."""
    land(date(2022, 9, 1), 60)
    assert outcomes() == ["accepted"]
    land(date(2022, 10, 1), 10)
    assert outcomes() == ["held"]
    assert "volume_drift" in (answer.left("police") or "")
    [waits] = held.listing()
    assert (waits.delivery, waits.reason, waits.word) == ("police_2022-10-01", "volume_drift", None)
    in_force = receipt.current(vault, "police")
    assert in_force is not None and in_force.label == "police_2022-09-01"
    assert receipt.waiting() == []

    held.decide(waits.holding, "confirmed", "D. Mistry")
    assert receipt.waiting() == ["police"]
    assert outcomes() == ["accepted"]
    assert answer.left("police") is None  # nothing is wrong with it any more
    now = receipt.current(vault, "police")
    kept = vault.require_held(waits.holding)
    assert now is not None and (now.label, now.rows) == ("police_2022-10-01", 10)
    assert kept.legal is not None and now.legal is not None and now.legal <= kept.legal
    assert (receipt.waiting(), outcomes()) == ([], [])
    [said] = history.facts("delivery_decided")
    assert (said["holding"], said["word"], said["by"]) == (waits.holding, "confirmed", "D. Mistry")


def test_what_is_rejected_is_never_loaded_and_the_word_stands(vault: Vault) -> None:
    land(date(2022, 10, 2), 200, first=1000)
    assert outcomes() == ["accepted"]
    land(DAY, 3, first=5000)
    assert outcomes() == ["held"]
    waits = next(one for one in held.listing() if one.word is None)
    held.decide(waits.holding, "rejected", "D. Mistry")
    assert (receipt.waiting(), outcomes()) == ([], [])
    with pytest.raises(Misuse, match="was rejected before"):
        held.decide(waits.holding, "confirmed", "A. Osborne")


def test_a_confirmed_delivery_takes_no_answer_away_that_was_given_since(vault: Vault) -> None:
    """The partner's last word from us is about what it sent last."""
    land(date(2022, 9, 20), 3, first=7000)
    assert outcomes() == ["held"]
    waits = next(one for one in held.listing() if one.word is None)
    land(date(2022, 10, 2), 4, first=8000)
    assert outcomes() == ["held"]
    given = answer.left("police")
    held.decide(waits.holding, "confirmed", "D. Mistry")
    assert outcomes() == ["accepted"]
    assert answer.left("police") == given is not None
    held.decide(next(one.holding for one in held.listing() if one.word is None), "rejected", "D. Mistry")


def test_a_word_needs_a_name_and_a_delivery_that_waits(vault: Vault) -> None:
    with pytest.raises(Misuse, match="--by"):
        held.decide("hld_none", "confirmed", " ")
    with pytest.raises(Misuse, match="not a held delivery"):
        held.decide("hld_none", "confirmed", "D. Mistry")


def test_an_older_delivery_that_arrives_late_does_not_replace_the_newer_one(vault: Vault) -> None:
    """The latest date is in force, whatever the post does."""
    before = receipt.current(vault, "police")
    assert before is not None
    land(date(2022, 8, 1), before.rows or 0, first=9000)
    assert outcomes() == ["accepted"]
    after = receipt.current(vault, "police")
    assert after is not None and after.id == before.id
