"""Receipt on real stores: what is broken is refused or held with a reason, kept for its holder, and the rest goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from linkage import clock, settings
from linkage.custody.stores import objects
from linkage.custody.vault import Vault
from linkage.feeds import receipt
from linkage.sandbox.bad_deliveries import BadDelivery, bad_deliveries
from linkage.sandbox.partner_files import Delivery, partner_deliveries
from linkage.sandbox.population import Population, make_population
from linkage.stack import StackAddresses

pytestmark = pytest.mark.servers
DAY = date(2022, 10, 3)


@pytest.fixture(scope="module")
def people(stack: StackAddresses) -> Population:
    # Another seed than the DAGs' tests: the same content again would be the same delivery again.
    return make_population(23, 30, DAY)


@pytest.fixture(scope="module")
def good(people: Population) -> dict[str, Delivery]:
    return partner_deliveries(people, DAY)


@pytest.fixture(autouse=True)
def empty_landing(stack: StackAddresses) -> Iterator[None]:
    before = clock.now()
    yield
    clock.set_simulated(before)
    for path in settings.load().landing.rglob("*"):
        if path.is_file():
            path.unlink()


def land(feed: str, delivery: Delivery | BadDelivery) -> Path:
    folder = settings.load().landing / feed
    folder.mkdir(parents=True, exist_ok=True)
    (folder / delivery.file_name).write_bytes(delivery.content)
    if delivery.manifest is not None:
        (folder / delivery.manifest_name).write_bytes(delivery.manifest)
    return folder


REFUSED = [
    "truncated",
    "wrong_checksum",
    "unknown_column",
    "header_only",
    "zero_bytes",
    "latin_1",
    "future_dated",
    "manifest_missing",
    "wrong_row_count",
]


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_file_is_refused_with_a_reason_kept_and_the_folder_emptied(case: str, people: Population) -> None:
    """N3, D16: nothing is lost, and what is kept has its own deadline."""
    bad = bad_deliveries(people, DAY)[case]
    folder = land("police", bad)
    (told,) = receipt.receive("police", DAY)
    assert (told.outcome, told.accepted) == ("refused", 0)
    assert told.reason
    assert told.reason in told.line()
    vault = Vault("authority")
    assert vault.read_bytes(str(told.holding)) == bad.content
    kept = vault.register.get(str(told.holding))
    assert kept.dataset_class == "quarantine"
    assert kept.legal is not None
    assert (kept.legal - kept.received_at).days == 28
    assert list(folder.iterdir()) == []


def test_a_good_file_is_accepted_beside_a_broken_one_of_the_same_feed(people: Population) -> None:
    land("housing", partner_deliveries(people, DAY)["housing"])
    land("police", bad_deliveries(people, DAY - timedelta(days=1))["truncated"])
    assert receipt.waiting() == ["police", "housing"]
    outcomes = {feed: [one.outcome for one in receipt.receive(feed, DAY)] for feed in receipt.waiting()}
    assert outcomes == {"police": ["refused"], "housing": ["accepted"]}


def test_the_same_file_twice_changes_nothing(good: dict[str, Delivery]) -> None:
    """D2"""
    land("health", good["health"])
    (first,) = receipt.receive("health", DAY)
    land("health", good["health"])
    (again,) = receipt.receive("health", DAY)
    assert again.outcome == "already_received"
    assert again.holding == first.holding


def test_a_delivery_in_force_that_cannot_be_read_does_not_stop_the_next(good: dict[str, Delivery]) -> None:
    """D14: that its objects are missing is an incident of the reconciliation, and no fault of the next delivery."""
    wednesday, friday = date(2022, 10, 5), date(2022, 10, 7)
    clock.set_simulated(clock.at(friday, 9))
    seed = make_population(24, 30, wednesday)
    land("referrals", partner_deliveries(seed, wednesday)["referrals"])
    (first,) = receipt.receive("referrals", friday)
    vault = Vault("authority")
    lost = vault.require_held(str(first.holding))
    objects.client("authority").purge(lost.bucket, lost.prefix)
    land("referrals", partner_deliveries(seed, friday)["referrals"])
    (second,) = receipt.receive("referrals", friday)
    assert second.outcome == "accepted"


def test_a_later_delivery_supersedes_the_earlier(people: Population, good: dict[str, Delivery]) -> None:
    land("probation", good["probation"])
    (first,) = receipt.receive("probation", DAY)
    tomorrow = DAY + timedelta(days=1)
    land("probation", partner_deliveries(people, tomorrow)["probation"])
    (second,) = receipt.receive("probation", tomorrow)
    vault = Vault("authority")
    assert vault.register.get(str(first.holding)).superseded_by == second.holding
    in_force = receipt.current(vault, "probation")
    assert in_force is not None
    assert in_force.id == second.holding


def test_no_line_of_a_receipt_holds_a_value(good: dict[str, Delivery]) -> None:
    """N10, N11"""
    land("jobcentre", good["jobcentre"])
    (told,) = receipt.receive("jobcentre", DAY)
    values = {cell for line in good["jobcentre"].content.decode().splitlines()[1:] for cell in line.split(",")[1:6]}
    assert not [value for value in values if len(value) > 3 and value in told.line()]
