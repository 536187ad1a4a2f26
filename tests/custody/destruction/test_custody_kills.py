"""Killed anywhere and run again, everything completes, once (D2, D7). Each process really dies, on real servers."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from many_versions import pile, seen_by_an_administrator

from linkage.custody import faults, transfers
from linkage.custody.destruction import vacuum
from linkage.custody.destruction.sweep import sweep
from linkage.custody.evidence import certificate, ledger
from linkage.custody.evidence import offline as evidence
from linkage.custody.models import Holding
from linkage.custody.stores import objects
from linkage.custody.vault import Vault

PROGRAMME = "troubled_families_2015_2020"
KILLS = 500
pytestmark = pytest.mark.servers


def _dies_at(point: str, act: Callable[[], object]) -> bool:
    """Do it in a process of its own that is killed at `point`; whether it was."""
    child = os.fork()
    if child == 0:
        os.environ["LINKAGE_FAULT"] = point
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _dies_after(seconds: float, act: Callable[[], object]) -> bool:
    """Do it in a process of its own that is killed after that time; whether it had not finished."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _send() -> transfers.Transfer:
    return transfers.send(
        b"released tables",
        sender="ons-research",
        recipient="mhclg",
        dataset_class="released_tables",
        programme=PROGRAMME,
        natural_key="r1",
    )


@pytest.mark.parametrize("point", faults.POINTS["put"])
def test_a_put_that_dies_is_completed_by_the_next(real_house, point: str) -> None:
    def put() -> object:
        return real_house.put(natural_key="k", data=b"content")

    assert _dies_at(point, put)
    held = put()
    assert Vault("authority").read_bytes(held.id) == b"content"
    assert real_house.versions(held) == 1
    assert real_house.register.counts()["held"] == 1


@pytest.mark.parametrize("point", faults.POINTS["send"])
def test_a_sending_that_dies_is_completed_by_the_next_and_taken_once(real_house, point: str) -> None:
    assert _dies_at(point, _send)
    sent = _send()
    assert [one.id for one in transfers.receive("mhclg")] == [sent.holding_id]
    assert objects.client("mhclg").versions("mhclg-inbox") == []


@pytest.mark.parametrize("point", faults.POINTS["receive"])
def test_a_receipt_that_dies_is_completed_by_the_next(real_house, point: str) -> None:
    sent = _send()
    assert _dies_at(point, lambda: transfers.receive("mhclg"))
    transfers.receive("mhclg")
    assert Vault("mhclg").read_bytes(sent.holding_id) == b"released tables"
    assert objects.client("mhclg").versions("mhclg-inbox") == []
    assert len(objects.client("mhclg").versions("mhclg-vault")) == 1


@pytest.mark.parametrize("point", faults.POINTS["relay"])
def test_a_relay_that_dies_delivers_once_and_keeps_nothing(real_house, point: str) -> None:
    frame = pl.DataFrame({"request_ref": ["q"], "match_key": ["k"], "person_token": [b"t" * 16]})
    transfers.send(
        frame,
        sender="authority",
        recipient="dwp",
        dataset_class="department_request",
        programme=PROGRAMME,
        natural_key="q1",
    )
    assert _dies_at(point, transfers.relay)
    transfers.relay()
    [held] = transfers.receive("dwp")
    assert Vault("dwp").read_frame(held.id).equals(frame)
    assert objects.client("ons-relay").versions("ons-relay-inbox") == []
    assert certificate.counts() == {"issued": 1, "verified": 1}


def _one_certificate_each(house, made: list[Holding], tmp_path: Path) -> None:
    """All gone, by three witnesses; one certificate each; the ledger tells of each once."""
    assert {house.register.get(one.id).state for one in made} == {"destroyed"}
    assert seen_by_an_administrator("authority-vault") == 0
    assert certificate.counts() == {"issued": len(made), "verified": len(made)}
    with house.register.transaction() as session:
        kinds = [json.loads(leaf) for leaf in ledger.leaves(session)]
    for kind in ("destruction_intended", "destruction_verified", "certificate_issued"):
        told = [one["facts"]["holding"] for one in kinds if one["kind"] == kind]
        assert sorted(told) == sorted(one.id for one in made), kind
    assert house.register.counts() == {"held": 0, "destroyed": len(made), "overdue": 0}
    _ledger_is_unbroken(tmp_path)


def _ledger_is_unbroken(folder: Path) -> None:
    entries = ledger.export(folder / "ledger.jsonl")
    told = evidence.verify(folder / "ledger.jsonl")
    assert (told["entries"], told["checked_to"]) == (entries, entries)


def _none_early(house, known: set[str]) -> set[str]:
    """What was certified since: nothing of it may be left. Returns all that is certified."""
    certified = {row.holding_id for row in house.register.certificates()}
    for holding in certified - known:
        assert "verified" in house.register.steps(holding)
        assert seen_by_an_administrator("authority-vault", f"holdings/{holding}/") == 0
    return certified


def test_a_destruction_of_10000_versions_killed_at_every_step_completes_with_one_certificate_each(
    real_house, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D7: 50 holdings of 200 versions and markers; the process dies once at each of its steps, each time further on."""
    monkeypatch.setenv("LINKAGE_WEED_MASTER_URL", os.environ["KEPT_WEED_MASTER_URL"])
    made = [real_house.put() for _ in range(50)]
    pile(made, versions=50, markers=150)
    assert seen_by_an_administrator("authority-vault") == 10_000
    real_house.at(date(2022, 10, 30), 3, 30)
    certified: set[str] = set()
    for place, point in enumerate([*faults.POINTS["destroy"], *faults.POINTS["sweep"]]):
        nth = 1 + place % 3 if point in faults.POINTS["destroy"] else 1
        assert _dies_at(f"{point}:{nth}", sweep), point
        certified = _none_early(real_house, certified)
    assert sweep().failed == []
    _one_certificate_each(real_house, made, tmp_path)
    removed = [certificate.read(row.document)["removed"] for row in real_house.register.certificates()]
    assert {(one["versions"], one["markers"], one["uploads"]) for one in removed} == {(50, 150, 1)}
    assert sum(vacuum._garbage(os.environ["LINKAGE_WEED_MASTER_URL"])) == 0


@pytest.mark.slow
def test_500_random_kill_points_change_nothing(real_house, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """D7: by a random number of steps, or at a random instant, which may fall into any request or transaction."""
    chance = random.Random(20221003)
    monkeypatch.setattr(objects, "_BATCH", 10)  # so that many deaths fall between two pages of deletions
    killed = rounds = 0
    while killed < KILLS:
        rounds += 1
        # A new month each round: keys and holdings of the round before are destroyed for good.
        real_house.at(date(2020 + rounds // 12, rounds % 12 + 1, 3))
        made = [real_house.put(dataset_class="quarantine") for _ in range(4)]
        pile(made, versions=25, markers=15)
        real_house.at(made[0].target.date(), 0, 30)
        certified = {row.holding_id for row in real_house.register.certificates()}
        for _ in range(chance.randint(5, 15)):
            by_step = chance.random() < 0.5
            died = (
                _dies_at(f"any:{chance.randint(1, 60)}", sweep)
                if by_step
                else _dies_after(chance.uniform(0.02, 1.5), sweep)
            )
            killed += died
            certified = _none_early(real_house, certified)
        assert sweep().failed == []
        assert {real_house.register.get(one.id).state for one in made} == {"destroyed"}
        assert {one.id for one in made} <= {row.holding_id for row in real_house.register.certificates()}
        assert seen_by_an_administrator("authority-vault") == 0
    issued = real_house.register.certificates()
    assert len(issued) == len({row.holding_id for row in issued}) == 4 * rounds
    assert certificate.counts() == {"issued": 4 * rounds, "verified": 4 * rounds}
    _ledger_is_unbroken(tmp_path)


def test_every_fault_point_is_named_once_and_inert_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINKAGE_FAULT", raising=False)
    assert len(set(faults.ALL)) == len(faults.ALL)
    for point in faults.ALL:
        faults.reach(point)
    monkeypatch.setenv("LINKAGE_FAULT", "elsewhere")
    with pytest.raises(AssertionError, match="unknown fault point"):
        faults.reach("no_such_point")
