"""A certificate looked at again: what holds, what does not any more, and what could not be asked (D7, D9, D11)."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from linkage import clock
from linkage.custody import keys
from linkage.custody.destruction import chain as destruction
from linkage.custody.overview.certificate import Issued, find, look_again, readable
from linkage.custody.stores import objects
from linkage.errors import Unknown


def issued(house, store: str = "authority") -> Issued:
    """The certificate of a holding destroyed on its day."""
    held = house.put(store=store, dataset_class="match_working" if store == "dwp" else "delivery")
    clock.set_simulated(held.target)
    return find(destruction.destroy(held.id, "a test").id)


def answers(certificate: Issued) -> dict[str, bool | None]:
    return {one.question: one.holds for one in look_again(certificate)}


def wrong(certificate: Issued) -> list[str]:
    return [one.question for one in look_again(certificate) if one.holds is False]


@pytest.mark.parametrize("store", ["authority", "dwp"])
def test_a_true_certificate_holds_from_every_side(house, store: str) -> None:
    """D7, D9, D11"""
    seen = answers(issued(house, store))
    assert len(seen) >= 7
    assert set(seen.values()) == {True}


def test_a_copy_that_came_back_is_found(house) -> None:
    """D7: a restored backup."""
    told = issued(house)
    objects.client("authority").put(told.holding.bucket, f"{told.holding.prefix}part-00000", b"again")
    assert wrong(told) == ["Are all copies gone from the primary store?"]


def test_a_key_that_exists_again_is_found(house) -> None:
    """D7, D8"""
    told = issued(house)
    keys.service("authority").wrap(told.holding.kek, b"x" * 32, "again")
    assert wrong(told) == ["Is the key gone?"]


def test_a_changed_word_is_found(doubled_house) -> None:
    """D9: whoever changes the document breaks its signature and no longer fits the ledger."""
    told = issued(doubled_house)
    outer = json.loads(told.document)
    outer["certificate"] = outer["certificate"].replace("daily", "weekly").replace("a test", "an order")
    changed = Issued(told.id, told.holding, json.dumps(outer), told.sha256)
    assert {"Did the verifier sign it, unchanged?", "Is it the one the ledger recorded?"} <= set(wrong(changed))


def test_a_ledger_that_was_rewritten_is_found(doubled_house) -> None:
    """D11: by a database administrator who took the guards away first."""
    told = issued(doubled_house)
    index = json.loads(told.text)["ledger"]["index"]
    with doubled_house.register.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER ledger_unchanged"))
        connection.execute(text("UPDATE ledger_entries SET leaf = '{}' WHERE seq = :seq"), {"seq": index})
    assert wrong(told) == ["Does the proved entry stand in the ledger today?"]


def test_a_certificate_of_nothing_is_damaged_not_true(doubled_house) -> None:
    told = issued(doubled_house)
    empty = Issued(told.id, told.holding, json.dumps({"certificate": "{}"}), told.sha256)
    assert True not in [answers(empty)[name] for name in answers(empty) if "copies" not in name]


def test_what_cannot_be_asked_is_neither_yes_nor_no(doubled_house) -> None:
    """D7: silence is no proof."""
    told = issued(doubled_house)
    doubled_house.world.down = {"keys", "objects"}
    seen = answers(told)
    assert False not in seen.values()
    assert seen["Are all copies gone from the primary store?"] is None
    assert seen["Is the key gone?"] is None
    assert "cannot be reached" in look_again(told)[-1].said


def test_a_certificate_of_another_version_is_shown_field_by_field(doubled_house) -> None:
    """D9: a certificate outlives the version that issued it."""
    told = issued(doubled_house)
    other = json.dumps({"certificate": json.dumps({"id": "crt_1", "key": {"was": "shredded"}}), "signature": ""})
    said, [(heading, lines)] = readable(Issued(told.id, told.holding, other, ""))
    assert "another version" in said
    assert ("key, was", "shredded") in lines


def test_a_certificate_reads_as_sentences_and_labelled_lines(doubled_house) -> None:
    """D9"""
    told = issued(doubled_house)
    said, sections = readable(told)
    assert "no copies" in said
    assert told.holding.id in str(sections)
    assert len([heading for heading, lines in sections if lines]) >= 4


def test_an_unknown_number_is_said_to_be_unknown(doubled_house) -> None:
    with pytest.raises(Unknown):
        find("crt_0")
