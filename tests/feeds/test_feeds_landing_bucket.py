"""A partner that delivers to the landing bucket: its own prefix, its own credential, and the same way in as from a folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from linkage import clock, settings
from linkage.custody.destruction import chain, originals
from linkage.custody.evidence import certificate
from linkage.custody.stores import landing, objects
from linkage.custody.vault import Vault
from linkage.custody.watch.reconcile import reconcile
from linkage.errors import FlowRefused
from linkage.feeds import answer, receipt
from linkage.sandbox import partners
from linkage.sandbox.bad_deliveries import BadDelivery, bad_deliveries
from linkage.sandbox.partner_files import Delivery, partner_deliveries
from linkage.sandbox.population import Population, make_population
from linkage.stack import StackAddresses
from linkage.stack.principals import LANDING_BUCKET, OUTBOX_BUCKET

pytestmark = pytest.mark.servers
DAY = date(2022, 10, 3)


@pytest.fixture(scope="module")
def people(stack: StackAddresses) -> Population:
    return make_population(77, 30, DAY)


@pytest.fixture(scope="module")
def good(people: Population) -> dict[str, Delivery]:
    return partner_deliveries(people, DAY)


@pytest.fixture(autouse=True)
def police_by_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LINKAGE_BUCKET_FEEDS", "police, jobcentre")
    before = clock.now()
    yield
    clock.set_simulated(before)
    for bucket in (LANDING_BUCKET, OUTBOX_BUCKET):
        objects.client("authority").purge(bucket, "police/")


def lying() -> int:
    """Versions, markers and uploads under the partner's prefix."""
    return objects.client("verifier-authority").copies(LANDING_BUCKET, "police/")


def test_a_delivery_is_taken_in_and_every_version_of_the_original_is_gone(good: dict[str, Delivery]) -> None:
    """N1, D7: put twice, there are two versions of each file; none is left."""
    partners.deliver("police", good["police"])
    partners.deliver("police", good["police"])
    assert lying() == 4
    assert "police" in receipt.waiting()
    (told,) = receipt.receive("police", DAY)
    assert told.outcome == "accepted"
    assert lying() == 0
    assert "police" not in receipt.waiting()


def test_the_same_file_by_the_other_way_changes_nothing(good: dict[str, Delivery]) -> None:
    """D2: the content decides, not the way it came."""
    partners.deliver("police", good["police"])
    (first,) = receipt.receive("police", DAY)
    folder = settings.load().landing / "police"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / good["police"].file_name).write_bytes(good["police"].content)
    (folder / good["police"].manifest_name).write_bytes(good["police"].manifest)
    partners.deliver("police", good["police"])
    again = receipt.receive("police", DAY)
    assert [one.outcome for one in again] == ["already_received"] * 2
    assert {one.holding for one in again} == {first.holding}
    assert list(folder.iterdir()) == []
    assert lying() == 0


def test_what_a_partner_adds_while_its_file_is_taken_in_stays_for_the_next_run(
    people: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The versions that were read are removed, and no other."""
    tomorrow, after = (partner_deliveries(people, date(2022, 10, number))["police"] for number in (4, 5))
    late = Delivery(tomorrow.file_name, after.content, tomorrow.manifest_name, after.manifest)
    clock.set_simulated(clock.at(date(2022, 10, 5), 9))
    partners.deliver("police", tomorrow)
    read = landing.InBucket.content

    def overtaken(file: landing.InBucket) -> bytes:
        partners.deliver("police", late)
        return read(file)

    monkeypatch.setattr(landing.InBucket, "content", overtaken)
    (first,) = receipt.receive("police", date(2022, 10, 5))
    monkeypatch.undo()
    monkeypatch.setenv("LINKAGE_BUCKET_FEEDS", "police")
    assert first.outcome == "accepted"
    assert lying() == 2
    (second,) = receipt.receive("police", date(2022, 10, 5))
    assert second.reason == "name_mismatch", "the later bytes were judged by themselves"


@pytest.mark.parametrize("case", ["truncated", "wrong_checksum", "manifest_missing", "latin_1"])
def test_the_same_guards_hold_and_the_answer_goes_back_by_the_same_way(case: str, people: Population) -> None:
    """N3, D16: kept in quarantine byte for byte, told in errors.csv under the partner's own prefix, the prefix emptied."""
    bad: BadDelivery = bad_deliveries(people, DAY)[case]
    partners.deliver("police", bad)
    (told,) = receipt.receive("police", DAY)
    assert told.outcome == "refused"
    assert Vault("authority").read_bytes(str(told.holding)) == bad.content
    assert lying() == 0
    fetched = objects.client("partner-police").get(OUTBOX_BUCKET, "police/errors.csv").decode()
    assert str(told.reason) in fetched
    assert fetched == answer.left("police")
    with pytest.raises(FlowRefused):
        objects.client("partner-housing").get(OUTBOX_BUCKET, "police/errors.csv")


def test_a_workbook_in_disguise_is_refused_unopened(people: Population) -> None:
    """Nothing is unpacked, so nothing can unpack itself."""
    zipped = b"PK\x03\x04" + bytes(1000)
    manifest = {"feed": "police", "contract": "police/1", "delivered_on": "2022-10-03", "rows": 1, "sha256": ""}
    manifest["sha256"] = hashlib.sha256(zipped).hexdigest()
    partners.deliver(
        "police",
        Delivery("police_2022-10-03.csv", zipped, "police_2022-10-03.manifest.json", json.dumps(manifest).encode()),
    )
    (told,) = receipt.receive("police", DAY)
    assert told.reason == "compressed"


def test_a_sound_delivery_clears_the_answer_in_all_its_versions(people: Population) -> None:
    partners.deliver("police", bad_deliveries(people, DAY)["wrong_row_count"])
    receipt.receive("police", DAY)
    partners.deliver("police", bad_deliveries(people, DAY)["unknown_column"])
    receipt.receive("police", DAY)
    assert objects.client("authority").copies(OUTBOX_BUCKET, "police/") == 1
    monday = date(2022, 10, 10)
    clock.set_simulated(clock.at(monday, 9))
    partners.deliver("police", partner_deliveries(make_population(78, 30, monday), monday)["police"])
    (told,) = receipt.receive("police", monday)
    assert told.outcome == "accepted"
    assert (answer.left("police") is None) == (told.quarantined == 0)


def test_a_partner_reaches_nothing_but_its_own_prefix(good: dict[str, Delivery]) -> None:
    """N3: every pair of credentials and prefixes is tried in tests/custody; here, what a mistake would look like."""
    mine = objects.client("partner-police")
    for attempt in (
        lambda: mine.put(LANDING_BUCKET, "housing/housing_2022-10-03.csv", b"x"),
        lambda: mine.put(LANDING_BUCKET, "police_2022-10-03.csv", b"x"),
        lambda: mine.put(OUTBOX_BUCKET, "police/errors.csv", b"x"),
        lambda: mine.versions(LANDING_BUCKET, "police/"),
        lambda: mine.get(LANDING_BUCKET, "police/police_2022-10-03.csv"),
    ):
        with pytest.raises(FlowRefused):
            attempt()


def test_an_original_that_a_crash_left_goes_with_what_was_made_of_it(
    good: dict[str, Delivery], monkeypatch: pytest.MonkeyPatch
) -> None:
    """D7: counted on the certificate, and looked for again by the verification."""
    monkeypatch.setattr(landing.InBucket, "remove", lambda _: 0)
    partners.deliver("jobcentre", good["jobcentre"])
    (told,) = receipt.receive("jobcentre", DAY)
    monkeypatch.undo()
    monkeypatch.setenv("LINKAGE_BUCKET_FEEDS", "jobcentre")
    vault = Vault("authority")
    held = vault.require_held(str(told.holding))
    assert sum(file.files for file in originals.left(held)) == 2
    chain.destroy(held.id, "a test")
    assert originals.left(held) == []
    document = vault.register.certificate(held.id)
    assert document is not None
    assert certificate.read(document.document)["delivered_originals"] == 2


def test_a_file_nobody_takes_in_is_an_incident_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """D14: whatever it is, and its name is not told."""
    objects.client("partner-police").put(LANDING_BUCKET, "police/Jane Doe.pdf", b"x")
    assert "landing/police" not in reconcile(["authority"]).waiting
    monkeypatch.setattr("linkage.custody.watch.reconcile.timedelta", lambda **_: timedelta(seconds=-1))
    assert "landing/police" in reconcile(["authority"]).waiting


def test_no_byte_run_of_an_original_is_left_in_the_volumes(stack: StackAddresses) -> None:
    """D7, N11: the store keeps the bytes of what was deleted until it is asked to give them up."""
    # Random, because the store packs text and its bytes would not be found before either.
    noise = os.urandom(50_000)
    partners.deliver("police", Delivery("police_2022-10-03.csv", noise, "police_2022-10-03.manifest.json", b"{}"))
    volumes = Path(stack.home) / "weed"

    def found() -> bool:
        return any(noise[1000:1064] in path.read_bytes() for path in volumes.rglob("*") if path.is_file())

    assert found(), "before, the bytes are there"
    (told,) = receipt.receive("police", DAY)
    assert told.outcome == "refused"
    assert not found()
