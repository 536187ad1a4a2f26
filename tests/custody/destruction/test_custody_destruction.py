"""Destruction, verification and certificates (D7 to D10, D12)."""

from __future__ import annotations

import base64
import json
from datetime import date, timedelta

import pytest
from many_versions import pile

from linkage import clock
from linkage.custody import holds, keys
from linkage.custody.destruction import chain as destruction
from linkage.custody.evidence import certificate, ledger
from linkage.custody.register import row_of
from linkage.custody.stores import objects
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused, Misuse

LATER = clock.at(date(2022, 11, 1), 12)


def _told(house, holding) -> dict:
    return certificate.read(house.register.certificate(holding.id).document)


def test_after_destruction_nothing_is_left_and_one_certificate_says_so(house) -> None:
    """D7, D8: the key is gone at once, not scheduled to go."""
    held = house.put()
    destruction.destroy(held.id, "a test", horizon=LATER)
    assert house.versions(held) == 0
    assert not keys.service("authority").key_exists(held.kek)
    gone = house.register.get(held.id)
    assert (gone.state, gone.wrapped_dek, gone.content_mac) == ("destroyed", None, None)
    with pytest.raises(CheckFailed, match="destroyed, not held"):
        Vault("authority").read_bytes(held.id)
    assert certificate.counts() == {"issued": 1, "verified": 1}


def test_a_key_with_nothing_living_under_it_is_destroyed_and_tried(house) -> None:
    """D7: the verifier is given the real wrapped key and cannot open it."""
    held = house.put()
    destruction.destroy(held.id, "a test", horizon=LATER)
    told = _told(house, held)
    assert told["key"]["state"] == "destroyed"
    assert told["verification"]["decryption"] == "refused: the key is gone"
    assert told["verification"]["verifier"] == "verifier-authority"


def test_a_key_that_others_still_need_is_not_said_to_be_destroyed(house) -> None:
    one, other = house.put(), house.put()
    destruction.destroy(one.id, "a test", horizon=LATER)
    assert _told(house, one)["key"]["state"] == "erased"
    assert any("own date" in exception for exception in _told(house, one)["exceptions"])
    assert Vault("authority").read_bytes(other.id)
    destruction.destroy(other.id, "a test", horizon=LATER)
    assert _told(house, other)["key"]["state"] == "destroyed"


def test_a_key_waits_for_its_own_date_because_transfers_may_be_under_way(house) -> None:
    held = house.put("dwp", "match_working")
    destruction.destroy(held.id, "a test")
    assert keys.service("dwp").key_exists(held.kek)
    assert _told(house, held)["key"]["state"] == "erased"


def test_destroying_twice_gives_the_same_certificate(house) -> None:
    held = house.put()
    first = destruction.destroy(held.id, "a test")
    assert destruction.destroy(held.id, "again").sha256 == first.sha256
    assert len(house.register.certificates()) == 1


def test_every_version_marker_and_unfinished_upload_goes(doubled_house) -> None:
    house = doubled_house
    held = house.put()
    objects.client("authority").put("authority-vault", f"{held.prefix}{held.attempt}/00001", b"an older version")
    house.world.pending["authority-vault"] = [(f"{held.prefix}x/00002", "upload-1")]
    destruction.destroy(held.id, "a test")
    assert _told(house, held)["removed"] == {"versions": 2, "markers": 0, "uploads": 1}


@pytest.mark.servers
def test_real_delete_markers_and_unfinished_uploads_go_as_well(real_house) -> None:
    """D7, against the real store: what a plain delete and a broken upload leave behind."""
    held = real_house.put()
    raw = objects.client("authority")._client
    raw.delete_object(Bucket="authority-vault", Key=f"{held.prefix}{held.attempt}/00001")
    raw.create_multipart_upload(Bucket="authority-vault", Key=f"{held.prefix}{held.attempt}/00002")
    assert real_house.versions(held) == 3
    destruction.destroy(held.id, "a test")
    assert real_house.versions(held) == 0
    assert _told(real_house, held)["removed"] == {"versions": 1, "markers": 1, "uploads": 1}


@pytest.mark.servers
def test_more_versions_than_a_run_keeps_in_memory_go_as_well(real_house, monkeypatch: pytest.MonkeyPatch) -> None:
    """D7: a listing too long to be kept is made again, page by page, and nothing of it stays."""
    monkeypatch.setattr(objects, "_KEPT", 20)
    short, long = real_house.put(), real_house.put()
    pile([short], versions=15, markers=5)
    pile([long], versions=30, markers=10)
    listed: list[objects.Version] = []
    assert (
        objects.client("authority").inventory(short.bucket, short.prefix, listed).all == 21
    )  # an unfinished upload too
    assert len(listed) == 20
    for held, versions, markers in ((short, 15, 5), (long, 30, 10)):
        destruction.destroy(held.id, "a test")
        assert real_house.versions(held) == 0
        assert _told(real_house, held)["removed"] == {"versions": versions, "markers": markers, "uploads": 1}


def test_nothing_is_certified_while_a_copy_is_left(doubled_house) -> None:
    """D7: a store that answers "deleted" and keeps the object is found out by the verifier."""
    house = doubled_house
    held = house.put()
    house.world.deaf_to_deletion = True
    with pytest.raises(CheckFailed, match="still finds 1 copies"):
        destruction.destroy(held.id, "a test")
    assert house.register.certificates() == []
    assert house.register.get(held.id).state == "destroying"
    assert house.register.incidents()[0].kind == "destruction_failed"
    house.world.deaf_to_deletion = False
    objects.client("authority").purge("authority-vault", held.prefix)
    destruction.destroy(held.id, "a test")
    assert certificate.counts() == {"issued": 1, "verified": 1}


def test_nothing_is_certified_while_the_key_still_opens(doubled_house) -> None:
    """D7."""
    house = doubled_house
    held = house.put()
    house.world.keeps_keys = True
    with pytest.raises(CheckFailed, match="still opens"):
        destruction.destroy(held.id, "a test", horizon=LATER)
    assert house.register.certificates() == []


def test_an_unreachable_store_loses_nothing_and_the_next_run_completes(doubled_house) -> None:
    house = doubled_house
    held = house.put()
    house.world.down = {"objects"}
    with pytest.raises(DependencyUnreachable):
        destruction.destroy(held.id, "a test")
    assert [one.kind for one in house.register.incidents()] == ["destruction_delayed"]
    assert house.register.certificates() == []
    house.world.down = set()
    destruction.destroy(held.id, "a test")
    assert certificate.counts() == {"issued": 1, "verified": 1}


def test_a_certificate_names_all_that_d9_asks_for(house) -> None:
    """D9; and D15: what was made under the simulated clock says so."""
    held = house.put(label="police 2022-10-03")
    destruction.destroy(held.id, "its deadline", operator="the sweep")
    told = _told(house, held)
    for name in ("holding", "controller", "duty", "location", "removed", "copies_left", "method", "key", "tool"):
        assert told[name] is not None
    assert (told["operator"], told["duty"]["reason"]) == ("the sweep", "its deadline")
    assert told["authoriser"] == "policy troubled_families_2015_2020, rule raw_28_days"
    assert told["began"] <= told["ended"]
    assert told["simulated_clock"] is True


def test_a_departments_certificate_counts_nobody(house) -> None:
    """D10."""
    import polars as pl

    frame = pl.DataFrame({"ref": ["a", "b"]})
    programme = "troubled_families_2015_2020"
    held = Vault("dwp").put_frame(frame, "match_working", programme=programme, natural_key="w")
    destruction.destroy(held.id, "a test")
    assert "rows" not in _told(house, held)


def test_a_certificate_is_checked_offline_and_an_edited_one_fails(house) -> None:
    """D9: signature and place in the ledger."""
    held = house.put()
    document = destruction.destroy(held.id, "a test").document
    key = keys.service("authority").public_key("sign-verifier-authority")
    assert certificate.genuine(document, key)
    assert certificate.genuine(document)
    assert not certificate.genuine(document.replace("raw_28_days", "raw_99_days"), key)
    assert not certificate.genuine(document, bytes(32))
    assert not certificate.genuine("{}")


def test_a_certificate_that_points_at_another_entry_of_the_ledger_does_not_hold(house) -> None:
    """D9: even well signed, it must prove that the ledger tells of this very destruction."""
    one, other = (destruction.destroy(house.put().id, "a test").document for _ in range(2))
    outer, told = json.loads(one), certificate.read(one)
    text = json.dumps({**told, "ledger": certificate.read(other)["ledger"]})
    signature = keys.service("verifier-authority").sign("sign-verifier-authority", text.encode())
    assert certificate.genuine(one)
    assert not certificate.genuine(
        json.dumps({**outer, "certificate": text, "signature": base64.b64encode(signature).decode()})
    )


def test_a_certificate_over_a_copy_that_came_back_no_longer_counts_as_verified(house) -> None:
    held = house.put()
    destruction.destroy(held.id, "a test")
    objects.client("authority").put("authority-vault", f"{held.prefix}back/00001", b"restored from somewhere")
    assert certificate.counts() == {"issued": 1, "verified": 0}


def test_a_destroyed_key_never_comes_back_under_its_name(house) -> None:
    held = house.put()
    destruction.destroy(held.id, "a test", horizon=LATER)
    with pytest.raises(FlowRefused, match="D6"):
        house.put()


def test_a_legal_hold_blocks_and_its_end_frees(house) -> None:
    """D12."""
    held = house.put()
    holds.place(held.id, "County Court", "claim 1", clock.now() + timedelta(days=5))
    with pytest.raises(CheckFailed, match="D12"):
        destruction.destroy(held.id, "a test")
    assert house.versions(held) == 1
    holds.lift(held.id)
    destruction.destroy(held.id, "a test")
    assert house.versions(held) == 0


@pytest.mark.parametrize(("authority", "scope", "days"), [("", "claim", 1), ("Court", " ", 1), ("Court", "claim", -1)])
def test_a_hold_without_authority_scope_or_expiry_is_no_hold(
    doubled_house, authority: str, scope: str, days: int
) -> None:
    """D12."""
    held = doubled_house.put()
    with pytest.raises(Misuse, match="D12"):
        holds.place(held.id, authority, scope, clock.now() + timedelta(days=days))


def test_a_hold_comes_too_late_for_what_is_being_destroyed(doubled_house) -> None:
    held = doubled_house.put()
    with doubled_house.register.transaction() as session:
        row_of(session, held.id).state = "destroying"
    with pytest.raises(CheckFailed, match="too late"):
        holds.place(held.id, "Court", "claim", clock.now() + timedelta(days=1))


def test_the_ledger_tells_the_whole_story_once(house) -> None:
    held = house.put()
    for _ in range(2):
        destruction.destroy(held.id, "a test", horizon=LATER)
    with house.register.transaction() as session:
        kinds = [json.loads(leaf)["kind"] for leaf in ledger.leaves(session)]
    assert kinds == ["received", "destruction_intended", "key_destroyed", "destruction_verified", "certificate_issued"]
