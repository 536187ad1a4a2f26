"""Calendar arithmetic of the promises: one month, the programme's end, the earliest of the parents (D1 to D4)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from linkage.clock import LONDON


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a holding must be gone: `target` is what operations aim at, `legal` the promise; aware UTC instants.

    Both are None only for data that a named rule reclassified as no longer personal (D4).
    """

    target: datetime | None
    legal: datetime | None
    rule: str

    @property
    def kek_date(self) -> date | None:
        """The London date that names the key-encryption key this holding is wrapped under."""
        return self.target.astimezone(LONDON).date() if self.target else None


def month_after(start: date, months: int = 1) -> date:
    """The corresponding calendar date `months` later, clamped to the month's end (D1; the corresponding date rule)."""
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def london(day: date, at: time) -> datetime:
    """The London wall-clock moment as a UTC instant; where a clock change makes it doubtful, the earlier one.

    A promise may be kept early, never late, so the hour that happens twice and the hour that never happens both
    resolve to the earlier reading.
    """
    readings = (datetime.combine(day, at.replace(tzinfo=LONDON, fold=fold)) for fold in (0, 1))
    return min(reading.astimezone(UTC) for reading in readings)


def one_month(received: datetime, target_days: int, rule: str = "one_month") -> Deadline:
    """One month from the first copy: `legal` on the corresponding date, `target` after `target_days` (D1, D2)."""
    return _on_dates(received, lambda day: month_after(day), target_days, rule)


def months(received: datetime, count: int, rule: str) -> Deadline:
    """`count` calendar months; aim and promise fall together (D16)."""
    return _on_dates(received, lambda day: month_after(day, count), None, rule)


def days(received: datetime, count: int, rule: str) -> Deadline:
    """`count` days; aim and promise fall together (D16)."""
    return _on_dates(received, lambda day: day + timedelta(days=count), None, rule)


def programme_end(closes: date, target_hours_before: int, rule: str = "programme") -> Deadline:
    """Gone before `closes` 00:00 Europe/London (D3)."""
    legal = london(closes, time(0))
    return Deadline(legal - timedelta(hours=target_hours_before), legal, rule)


def earliest(own: Deadline, parents: Iterable[Deadline]) -> Deadline:
    """The earliest of a derived dataset's own deadline and those of its inputs, each part for itself (D4)."""
    best = own
    for parent in parents:
        if parent.legal is None:
            continue
        if best.legal is None or parent.legal < best.legal:
            best = Deadline(
                _least(best.target, parent.target),
                parent.legal,
                f"{own.rule}, earlier by its source's {parent.rule}",
            )
        elif parent.target is not None and (best.target is None or parent.target < best.target):
            best = Deadline(parent.target, best.legal, best.rule)
    return best


def _on_dates(received: datetime, legal_date: Callable[[date], date], target_days: int | None, rule: str) -> Deadline:
    local = received.astimezone(LONDON)
    wall = local.time()
    legal = london(legal_date(local.date()), wall)
    if target_days is None:
        return Deadline(legal, legal, rule)
    return Deadline(min(london(local.date() + timedelta(days=target_days), wall), legal), legal, rule)


def _least(*moments: datetime | None) -> datetime | None:
    known = [moment for moment in moments if moment is not None]
    return min(known) if known else None
