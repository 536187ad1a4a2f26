"""Stores against register, both ways (D14)."""

from __future__ import annotations

from datetime import date

import polars as pl

from linkage.custody import transfers
from linkage.custody.destruction.chain import destroy
from linkage.custody.stores import objects
from linkage.custody.watch.reconcile import reconcile


def test_a_house_in_order_has_no_differences(house) -> None:
    house.put()
    destroy(house.put().id, "a test")
    found = reconcile()
    assert found.ok
    assert found.lines == ["1 holdings compared with the stores, both ways: 0 differences."]


def test_an_object_nobody_owns_is_an_incident(house) -> None:
    """D14: from the stores to the register."""
    objects.client("dwp").put("dwp-vault", "holdings/hld_unknown/x/00001", b"left behind")
    found = reconcile()
    assert found.unowned == ("dwp-vault/holdings/hld_unknown/",)
    assert not found.ok
    assert [one.kind for one in house.register.incidents()] == ["unowned_object"]


def test_a_copy_restored_after_its_destruction_is_an_incident(house) -> None:
    held = house.put()
    destroy(held.id, "a test")
    objects.client("authority").put("authority-vault", f"{held.prefix}{held.attempt}/00001", b"from a backup")
    assert reconcile().unowned == (f"authority-vault/{held.prefix}",)


def test_a_holding_whose_objects_are_missing_is_an_incident(house) -> None:
    """D14: from the register to the stores."""
    held = house.put()
    objects.client("authority").purge("authority-vault", held.prefix)
    assert reconcile().missing == (held.id,)


def test_a_transfer_left_lying_is_an_incident_after_a_day(house) -> None:
    frame = pl.DataFrame({"linker_ref": ["l"], "match_key": ["k"], "person_token": [b"t" * 16]})
    sent = transfers.send(
        frame,
        sender="authority",
        recipient="ons-linker",
        dataset_class="compound_tokens",
        programme="troubled_families_2015_2020",
        natural_key="t",
    )
    assert reconcile().ok
    house.at(date(2022, 10, 5))
    assert reconcile().waiting == (f"ons-linker-inbox/{sent.id}",)
    transfers.receive("ons-linker")
    assert reconcile().ok
