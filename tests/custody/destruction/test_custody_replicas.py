"""Every copy that was written is destroyed and verified, in every configured store (D7, D14)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date

import pytest
from many_versions import pile, seen_by_an_administrator
from second_store import SecondStore, second_store

from linkage import settings
from linkage.custody.destruction.chain import destroy
from linkage.custody.destruction.sweep import sweep
from linkage.custody.evidence import certificate
from linkage.custody.stores import objects
from linkage.custody.vault import Vault
from linkage.custody.watch.reconcile import reconcile
from linkage.errors import CheckFailed, DependencyUnreachable, Misuse


@pytest.fixture(scope="module")
def second(stack) -> Iterator[SecondStore]:
    """One second store for this module."""
    with second_store(stack.home) as store:
        yield store


@pytest.fixture
def north(real_house, second: SecondStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecondStore]:
    """The real house with the second store as its replica `north`, and no patience with it."""
    monkeypatch.setenv("LINKAGE_S3_REPLICAS", f"north={second.endpoint}")
    monkeypatch.setattr(objects, "ATTEMPTS", 1)
    objects._client.cache_clear()
    yield second
    if second.process is None or second.process.poll() is not None:
        second.up()
    for store in ("authority", "dwp", "ons-linker"):
        for kind in ("vault", "inbox"):
            objects.client(store, "north").purge(f"{store}-{kind}", "")
    objects._client.cache_clear()


@pytest.fixture
def doubled(doubled_house, monkeypatch: pytest.MonkeyPatch):
    """The house of doubles with a replica `north`."""
    monkeypatch.setenv("LINKAGE_S3_REPLICAS", "north=http://127.0.0.1:1")
    return doubled_house


@pytest.mark.servers
def test_every_copy_is_written_destroyed_verified_and_certified_in_the_replica_too(
    real_house, north: SecondStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D7, D9."""
    monkeypatch.setenv("LINKAGE_WEED_MASTER_URL", f"{os.environ['KEPT_WEED_MASTER_URL']},{north.master}")
    held = real_house.put(data=b"content")
    assert held.places == "primary,north"
    pile([held], versions=3, markers=2, place="north")
    assert seen_by_an_administrator("authority-vault", held.prefix, north.endpoint) == 5
    real_house.at(date(2022, 10, 30), 12)
    report = sweep()
    assert report.ok and report.destroyed == 1
    assert not any("deleted ciphertext" in line or "could not be asked" in line for line in report.lines)
    assert seen_by_an_administrator("authority-vault", held.prefix) == 0
    assert seen_by_an_administrator("authority-vault", held.prefix, north.endpoint) == 0
    told = certificate.read(real_house.register.certificate(held.id).document)
    copies = {one["place"]: (one["versions"], one["markers"], one["uploads"]) for one in told["location"]["copies"]}
    assert copies == {"primary": (1, 0, 0), "north": (3, 2, 1)}
    assert told["verification"]["places"] == ["north", "primary"]


@pytest.mark.servers
def test_a_replica_that_is_down_means_an_incident_no_certificate_and_another_try(real_house, north) -> None:
    """D7: what can go goes at once; what cannot be seen to be gone is not certified."""
    held = real_house.put()
    real_house.at(date(2022, 10, 30), 12)
    north.down()
    report = sweep()
    assert (report.failed, report.unreachable, report.certificates) == ([held.id], True, [])
    assert any("NOT destroyed yet (the replica 'north' cannot be reached" in line for line in report.lines)
    assert [one.kind for one in real_house.register.incidents()] == ["destruction_delayed"]
    assert real_house.register.certificates() == []
    assert seen_by_an_administrator("authority-vault", held.prefix) == 0
    assert seen_by_an_administrator("authority-vault", held.prefix, settings.load().s3_endpoint) == 0
    north.up()
    assert seen_by_an_administrator("authority-vault", held.prefix, north.endpoint) == 1
    assert sweep().destroyed == 1
    assert seen_by_an_administrator("authority-vault", held.prefix, north.endpoint) == 0
    assert certificate.counts() == {"issued": 1, "verified": 1}


def test_nothing_is_held_before_every_store_has_it(doubled) -> None:
    """What one store lacks could not be told from what it lost (D14)."""
    doubled.world.down = {"north"}
    with pytest.raises(DependencyUnreachable):
        doubled.put(natural_key="a", data=b"content")
    assert [one.state for one in doubled.register.find("authority", state=None)] == ["writing"]
    doubled.world.down = set()
    held = doubled.put(natural_key="a", data=b"content")
    assert {store.place: store.copies(held.bucket, held.prefix) for store in objects.everywhere("authority")} == {
        "primary": 1,
        "north": 1,
    }


def test_a_replica_answers_when_the_primary_store_does_not(doubled) -> None:
    held = doubled.put(data=b"content")
    doubled.world.down = {"primary"}
    assert Vault("authority").read_bytes(held.id) == b"content"
    doubled.world.down = {"primary", "north"}
    with pytest.raises(DependencyUnreachable):
        Vault("authority").read_bytes(held.id)


def test_a_copy_in_a_store_that_is_no_longer_configured_is_not_called_destroyed(doubled, monkeypatch) -> None:
    """D7."""
    held = doubled.put()
    monkeypatch.setenv("LINKAGE_S3_REPLICAS", "")
    with pytest.raises(CheckFailed, match="also written to 'north'"):
        destroy(held.id, "a test")
    assert doubled.register.certificates() == []
    monkeypatch.setenv("LINKAGE_S3_REPLICAS", "north=http://127.0.0.1:1")
    destroy(held.id, "a test")
    assert not any(doubled.world.buckets.get(bucket) for bucket in ("authority-vault", "north/authority-vault"))


def test_a_store_that_was_added_later_is_searched_as_well(doubled_house, monkeypatch) -> None:
    """D7: its own replication may have brought copies that the register knows nothing of."""
    held = doubled_house.put()
    monkeypatch.setenv("LINKAGE_S3_REPLICAS", "north=http://127.0.0.1:1")
    objects.client("authority", "north").put(held.bucket, f"{held.prefix}x/00001", b"replicated")
    destroy(held.id, "a test")
    assert doubled_house.world.buckets["north/authority-vault"] == []


def test_reconciliation_compares_every_replica(doubled) -> None:
    """D14."""
    held = doubled.put()
    assert reconcile().ok
    objects.client("authority", "north").purge(held.bucket, held.prefix)
    objects.client("dwp", "north").put("dwp-vault", "holdings/hld_unknown/x/00001", b"left behind")
    found = reconcile()
    assert found.missing == (f"north/{held.id}",)
    assert found.unowned == ("north/dwp-vault/holdings/hld_unknown/",)


@pytest.mark.parametrize("told", ["north", "north=", "=http://x", "a=http://x,a=http://y", "primary=http://x"])
def test_replicas_that_are_not_well_named_are_a_misuse(doubled_house, monkeypatch, told: str) -> None:
    monkeypatch.setenv("LINKAGE_S3_REPLICAS", told)
    with pytest.raises(Misuse, match="LINKAGE_S3_REPLICAS"):
        objects.places()
