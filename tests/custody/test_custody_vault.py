"""The vault: encrypted, with a deadline, for its holder only (D1 to D5, N10, N13)."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from linkage import clock
from linkage.custody import keys, objects
from linkage.custody.models import HoldingRow
from linkage.custody.register import row_of
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, FlowRefused, Misuse

PROGRAMME = "troubled_families_2015_2020"
FRAME = pl.DataFrame({"ref": ["r1", "r2"], "value": [1, None]})


def test_a_frame_comes_out_as_it_went_in(house) -> None:
    vault = Vault("authority")
    held = vault.put_frame(FRAME, "delivery", programme=PROGRAMME, natural_key="police/1", label="police 2022-10-03")
    assert vault.read_frame(held.id).equals(FRAME)
    assert (held.state, held.rows, held.kek, held.simulated) == ("held", 2, "authority.20221031", True)


def test_the_object_store_never_sees_the_content(house) -> None:
    """N11."""
    held = house.put(data=b"a very plain text")
    listing = objects.client("authority").versions("authority-vault", held.prefix)
    bodies = [objects.client("authority").get("authority-vault", one.key) for one in listing]
    assert len(bodies) == 1
    assert b"plain" not in bodies[0]
    assert "police" not in listing[0].key


def test_the_same_natural_key_is_held_once(house) -> None:
    first, again = house.put(natural_key="a"), house.put(natural_key="a", data=b"other")
    assert again == first
    assert house.register.counts()["held"] == 1


def test_a_letter_sent_twice_does_not_restart_the_month(house) -> None:
    """D2: the clock starts with the first copy of the content."""
    first = house.put(data=b"letter", natural_key="monday")
    house.at(date(2022, 10, 17))
    second = house.put(data=b"letter", natural_key="a fortnight later")
    assert second.id != first.id
    assert second.legal == first.legal


def test_two_empty_frames_are_not_one_letter(house) -> None:
    empty, vault = FRAME.clear(), Vault("authority")
    first = vault.put_frame(empty, "quarantine", programme=PROGRAMME, natural_key="a")
    house.at(date(2022, 10, 17))
    second = vault.put_frame(empty, "quarantine", programme=PROGRAMME, natural_key="b")
    assert second.received_at > first.received_at


def test_what_was_destroyed_does_not_come_back_under_its_name(house) -> None:
    from linkage.custody.destruction import destroy

    held = house.put(natural_key="a")
    destroy(held.id, "a test")
    with pytest.raises(FlowRefused, match="D2"):
        house.put(natural_key="a")


def test_a_derived_dataset_goes_with_its_earliest_source(house) -> None:
    """D4."""
    source = house.put()
    house.at(date(2022, 10, 10))
    derived = house.put(dataset_class="quarantine", parents=[source.id])
    assert derived.legal == source.legal
    assert house.register.children(source.id) == [derived.id]


def test_data_that_would_be_overdue_at_birth_is_refused(house) -> None:
    """D4."""
    source = house.put()
    house.at(date(2022, 11, 1))
    with pytest.raises(FlowRefused, match="D4"):
        house.put(dataset_class="quarantine", parents=[source])


def test_only_a_class_that_a_named_rule_reclassifies_outlives_its_source(house) -> None:
    """D4: issue evidence is kept for its criteria window, by the programme file's own words."""
    source = house.put()
    derived = house.put(dataset_class="issue_evidence", parents=[source])
    assert derived.reclassified
    assert derived.legal > source.legal


def test_a_closed_programme_takes_nothing_in(house) -> None:
    """D3."""
    house.at(date(2022, 12, 1), 0)
    with pytest.raises(FlowRefused, match="D3"):
        house.put("ons-identity", "identity_file")


def test_a_store_holds_only_its_own_classes(house) -> None:
    """N13: no role reads both identifiers and attributes."""
    with pytest.raises(FlowRefused, match="N13"):
        house.put("ons-research", "identity_file")
    with pytest.raises(FlowRefused, match="D5"):
        house.put("authority", "a_class_nobody_wrote_down")


def test_a_store_reads_only_its_own_holdings(house) -> None:
    """N13, by rule and by key: what one store wrapped no other can unwrap."""
    held = house.put()
    with pytest.raises(FlowRefused, match="N13"):
        Vault("ons-research").read_bytes(held.id)
    with pytest.raises(FlowRefused, match="N11"):
        keys.service("ons-research").unwrap(held.kek, held.wrapped_dek, held.id)


def test_departments_never_register_how_many_rows_they_hold(house) -> None:
    """N10, D10: a count would say how many persons are in the evaluation."""
    held = Vault("dwp").put_frame(FRAME, "match_working", programme=PROGRAMME, natural_key="w1")
    assert held.rows is None
    with pytest.raises(CheckFailed, match="ck_holding_no_person_count"), house.register.transaction() as session:
        row_of(session, held.id).rows = 2


def test_tampered_ciphertext_is_found_out(house) -> None:
    held = house.put(data=b"x" * 1000)
    key = objects.client("authority").versions("authority-vault", held.prefix)[0].key
    body = objects.client("authority").get("authority-vault", key)
    objects.client("authority").put("authority-vault", key, body[:-1] + bytes([body[-1] ^ 1]))
    with pytest.raises(CheckFailed, match="part 1 of 1"):
        Vault("authority").read_bytes(held.id)


def test_a_superseded_list_goes_28_days_after_its_successor(house) -> None:
    """D16."""
    old = house.put(dataset_class="family_list")
    house.at(date(2022, 10, 10))
    new = house.put(dataset_class="family_list")
    nearer = Vault("authority").supersede(old, new)
    assert nearer.legal < old.legal
    assert nearer.legal - clock.now() <= timedelta(days=28, hours=1)
    assert [one.id for one in Vault("authority").find("family_list")] == [new.id]
    assert len(Vault("authority").find("family_list", superseded=True)) == 2


def test_a_half_written_holding_is_written_anew_from_its_first_day(doubled_house, monkeypatch) -> None:
    """D2: a crash between registration and upload gains no time, and leaves no second copy."""
    house = doubled_house
    monkeypatch.setitem(house.world.__dict__, "down", {"objects"})
    with pytest.raises(Exception, match="cannot be reached"):
        house.put(natural_key="a")
    [half] = house.register.find("authority", state="writing")
    monkeypatch.setitem(house.world.__dict__, "down", set())
    house.at(date(2022, 10, 5))
    whole = house.put(natural_key="a", data=b"content")
    assert (whole.id, whole.received_at, whole.state) == (half.id, half.received_at, "held")
    assert house.versions(whole) == 1


def test_nobody_holds_a_holding_nobody_knows(house) -> None:
    with pytest.raises(Misuse, match="hld_nowhere"):
        Vault("authority").read_bytes("hld_nowhere")


def test_a_representation_shows_no_wrapped_key(house) -> None:
    held = house.put()
    assert held.wrapped_dek not in repr(held)
    assert "wrapped_dek" not in held.public()
    assert {"target", "legal"} <= set(held.public())
    assert HoldingRow.__table__.c.keys()
