"""A receipt killed anywhere is ended by the next run: nothing is kept longer, no partner waits for its answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count

import pytest
from base_stack import base_stack
from police_files import land

from linkage import settings
from linkage.custody import faults, history
from linkage.custody.vault import Vault
from linkage.feeds import answer, held, receipt
from linkage.stack import StackAddresses

pytestmark = [pytest.mark.servers, pytest.mark.gx]
TODAY = date(2022, 10, 3)
_numbers = count()


@pytest.fixture(scope="module")
def vault() -> Iterator[Vault]:
    """A stack of its own: the deliveries in force here are nobody else's."""
    with base_stack() as stack:
        assert isinstance(stack, StackAddresses)
        yield Vault("authority")


def land_next(rows: int, broken: int) -> date:
    """The next day's delivery, of so many rows, of which one cannot be used."""
    number = next(_numbers)
    day = date(2022, 6, 1) + timedelta(days=number)
    land(day, rows, first=1_000 * number, broken=broken)
    return day


class Killed(BaseException):
    """No handler of errors catches it, as none would a power cut."""


def dies_at(point: str) -> bool:
    """Receive until `point` is reached, and no further; whether it was."""

    def reach(reached: str) -> None:
        if reached == point:
            raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(faults, "reach", reach)
        try:
            receipt.receive("police", TODAY)
        except Killed:
            return True
    return False


def noted(kind: str, holding: str) -> list[dict[str, object]]:
    return [facts for facts in history.facts(kind) if facts["holding"] == holding]


@pytest.mark.parametrize("point", [*faults.POINTS["receipt"], *faults.POINTS["put"]])
def test_the_next_run_ends_what_a_killed_one_began(vault: Vault, point: str) -> None:
    """N1, D16: the earlier delivery gives way, both entries are made once, the partner has its answer, the file is gone."""
    land_next(60, broken=7)
    receipt.receive("police", TODAY)
    earlier = receipt.current(vault, "police")
    assert earlier is not None
    broken = 8 + len(point)  # another row than the earlier answer's
    day = land_next(60, broken)
    assert dies_at(point)
    receipt.receive("police", TODAY)
    made = receipt.current(vault, "police")
    assert made is not None and made.label == f"police_{day}"
    assert vault.register.get(earlier.id).superseded_by == made.id
    [received], [checked] = noted("delivery_received", made.id), noted("delivery_checked", made.id)
    assert (received["accepted"], received["quarantined"]) == (59, 1)
    assert (checked["outcome"], checked["before"]) == ("accepted", 59)
    told = answer.left("police")
    assert told is not None and f"\n{broken},date_of_birth" in told.replace("\r", "")
    assert list((settings.load().landing / "police").glob("police_*")) == []
    assert [one.outcome for one in receipt.receive("police", TODAY)] == []


@pytest.mark.parametrize("point", ["receipt_kept", "receipt_superseded", "receipt_noted", "put_registered", "put_held"])
def test_a_confirmed_delivery_whose_loading_was_killed_is_loaded_by_the_next_run(vault: Vault, point: str) -> None:
    """N1: a person said yes; what they said is done."""
    land_next(60, broken=7)
    receipt.receive("police", TODAY)
    for one in held.listing():
        if one.word is None:
            held.decide(one.holding, "confirmed", "D. Mistry")
    receipt.receive("police", TODAY)
    earlier = receipt.current(vault, "police")
    assert earlier is not None and earlier.rows == 59
    land_next(10, broken=3)
    assert [one.outcome for one in receipt.receive("police", TODAY)] == ["held"]
    waits = next(one for one in held.listing() if one.word is None)
    held.decide(waits.holding, "confirmed", "D. Mistry")
    assert dies_at(point)
    assert receipt.waiting() == ["police"]
    receipt.receive("police", TODAY)
    assert receipt.waiting() == []
    made = receipt.current(vault, "police")
    assert made is not None and (made.label, made.rows) == (waits.delivery, 9)
    assert vault.register.get(earlier.id).superseded_by == made.id
    [checked] = noted("delivery_checked", made.id)
    assert (checked["outcome"], checked["before"]) == ("accepted", 59)
