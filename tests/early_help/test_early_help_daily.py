"""The daily list in the vault: what it carries, what changed since the one before, and how it is handed out."""

from __future__ import annotations

import csv
import stat
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from base_stack import base_stack
from early_help_cases import AS_OF, FamilyCase, abuse, benefit, deliver, months_ago, need

from linkage import policy
from linkage.custody.evidence import ledger
from linkage.custody.register import Register
from linkage.custody.vault import Vault
from linkage.early_help import daily
from linkage.early_help.handout import hand_out_families, hand_out_partner
from linkage.errors import CheckFailed, Misuse
from linkage.feeds import FEEDS
from linkage.stack import StackAddresses

pytestmark = pytest.mark.servers


def town(second: bool) -> list[FamilyCase]:
    cases = [FamilyCase(n).member("parent", "adult", 35).member("child", "child", 12) for n in (1, 2)]
    need(abuse(cases[0], "parent", months_ago(3)), "child", months_ago(1))
    if second:
        benefit(need(cases[1], "parent", months_ago(2)), "parent")
    return cases


def arrive(vault: Vault, cases: list[FamilyCase], on: date) -> None:
    """The feeds' accepted frames as deliveries in force, each superseding the one before."""
    earlier = vault.find("delivery")
    for feed, frame in deliver(cases).items():
        key = f"{feed}:{on}:{uuid.uuid4().hex}"
        held = vault.put_frame(frame, "delivery", programme=policy.load().name, natural_key=key, label=f"{feed} {on}")
        for one in earlier:
            if (one.natural_key or "").startswith(f"{feed}:") and one.superseded_by is None:
                vault.supersede(one.id, held.id)


@pytest.fixture(scope="module")
def stack() -> Iterator[StackAddresses]:
    """A stack of its own: these deliveries would otherwise be the ones in force for other tests."""
    with base_stack() as addresses:
        yield addresses


@pytest.fixture(scope="module")
def lists(stack: StackAddresses) -> list[daily.DailyList]:
    """Two mornings: on the second, another family shows two issues."""
    vault = Vault("authority")
    arrive(vault, town(second=False), AS_OF)
    first = daily.identify(AS_OF)
    arrive(vault, town(second=True), AS_OF + timedelta(days=1))
    return [first, daily.identify(AS_OF + timedelta(days=1))]


def test_the_log_counts_what_changed_since_the_list_before_and_names_no_family(lists: list[daily.DailyList]) -> None:
    """N2, N20: both mornings in plain sentences."""
    told = " ".join(lists[1].lines())
    assert "1 identified since" in told
    assert "FAM" not in told and "FAM" not in " ".join(lists[0].lines())


def test_the_same_morning_again_tells_the_same_and_makes_nothing(lists: list[daily.DailyList]) -> None:
    again = daily.identify(AS_OF + timedelta(days=1))
    assert (again.holdings, again.changed) == (lists[1].holdings, lists[1].changed)


def test_every_piece_of_evidence_names_the_delivery_it_came_in(lists: list[daily.DailyList]) -> None:
    """N2: feed, delivery, version, window and date."""
    vault = Vault("authority")
    evidence = next(one for one in vault.find("issue_evidence") if one.id in lists[1].holdings)
    hits = vault.read_frame(evidence.id)
    delivered = {one.id: (one.natural_key or "").split(":")[0] for one in vault.find("delivery")}
    assert [delivered[held] for held in hits["delivery"]] == hits["feed"].to_list()
    assert set(hits["feed"]) <= set(FEEDS)


def test_the_list_in_force_is_handed_to_one_reader_and_the_ledger_knows(
    lists: list[daily.DailyList], tmp_path: Path
) -> None:
    """N20."""
    out = tmp_path / "families.csv"
    with Register.open().transaction() as session:
        before = len(ledger.leaves(session))
    holding, _ = hand_out_families(out)
    assert holding in lists[1].holdings
    with out.open(newline="") as handle:
        rows = {row["family_ref"]: row for row in csv.DictReader(handle)}
    assert rows["FAM002"]["change"] == "identified"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with Register.open().transaction() as session:
        added = ledger.leaves(session)[before:]
    assert [("list_handed_out" in leaf, holding in leaf, "FAM" in leaf) for leaf in added] == [(True, True, False)]
    with pytest.raises(Misuse, match="nothing is overwritten"):
        hand_out_families(out)


def test_a_partner_is_handed_its_own_list_and_a_feed_without_one_nothing(
    lists: list[daily.DailyList], tmp_path: Path
) -> None:
    """N3."""
    hand_out_partner("health", tmp_path / "health.csv")
    header, *rows = (tmp_path / "health.csv").read_text().splitlines()
    assert header == '"person_ref"' and all(row.startswith('"health-FAM') for row in rows)
    with pytest.raises(CheckFailed):
        hand_out_partner("police", tmp_path / "police.csv")
