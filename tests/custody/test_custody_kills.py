"""Killed anywhere and run again, everything completes, once (D2, D7). Each process really dies, on real servers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from linkage.custody import certificate, faults, ledger, objects, transfer
from linkage.custody.sweep import sweep
from linkage.custody.vault import Vault

PROGRAMME = "troubled_families_2015_2020"
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


def _send() -> transfer.Transfer:
    return transfer.send(
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
    assert [one.id for one in transfer.receive("mhclg")] == [sent.holding_id]
    assert objects.client("mhclg").versions("mhclg-inbox") == []


@pytest.mark.parametrize("point", faults.POINTS["receive"])
def test_a_receipt_that_dies_is_completed_by_the_next(real_house, point: str) -> None:
    sent = _send()
    assert _dies_at(point, lambda: transfer.receive("mhclg"))
    transfer.receive("mhclg")
    assert Vault("mhclg").read_bytes(sent.holding_id) == b"released tables"
    assert objects.client("mhclg").versions("mhclg-inbox") == []
    assert len(objects.client("mhclg").versions("mhclg-vault")) == 1


@pytest.mark.parametrize("point", faults.POINTS["relay"])
def test_a_relay_that_dies_delivers_once_and_keeps_nothing(real_house, point: str) -> None:
    frame = pl.DataFrame({"request_ref": ["q"], "match_key": ["k"], "person_token": [b"t" * 16]})
    transfer.send(
        frame,
        sender="authority",
        recipient="dwp",
        dataset_class="department_request",
        programme=PROGRAMME,
        natural_key="q1",
    )
    assert _dies_at(point, transfer.relay)
    transfer.relay()
    [held] = transfer.receive("dwp")
    assert Vault("dwp").read_frame(held.id).equals(frame)
    assert objects.client("ons-relay").versions("ons-relay-inbox") == []
    assert certificate.counts() == {"issued": 1, "verified": 1}


@pytest.mark.parametrize("point", [*faults.POINTS["destroy"], *faults.POINTS["sweep"]])
def test_a_sweep_that_dies_is_completed_by_the_next_with_one_certificate_each(real_house, point: str) -> None:
    """D7: killed anywhere and run again, it completes."""
    made = [real_house.put(), real_house.put()]
    real_house.at(date(2022, 10, 30), 3, 30)
    assert _dies_at(point, sweep)
    report = sweep()
    assert report.failed == []
    assert [real_house.register.get(one.id).state for one in made] == ["destroyed", "destroyed"]
    assert [real_house.versions(one) for one in made] == [0, 0]
    assert certificate.counts() == {"issued": 2, "verified": 2}
    with real_house.register.transaction() as session:
        leaves = ledger.leaves(session)
    for holding in made:
        assert sum(f'"certificate":"crt_{holding.id[4:]}"' in leaf for leaf in leaves) == 1
    assert real_house.register.counts() == {"held": 0, "destroyed": 2, "overdue": 0}


def test_every_fault_point_is_named_once_and_inert_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINKAGE_FAULT", raising=False)
    assert len(set(faults.ALL)) == len(faults.ALL)
    for point in faults.ALL:
        faults.reach(point)
    monkeypatch.setenv("LINKAGE_FAULT", "elsewhere")
    with pytest.raises(AssertionError, match="unknown fault point"):
        faults.reach("no_such_point")
