"""When a request must be answered: one month, by the corresponding date, rolled off a weekend (S4)."""

from __future__ import annotations

from datetime import date, timedelta

from linkage.policy.deadlines import month_after
from linkage.rights.figures import Clock

_SATURDAY = 5


def answer_due(received: date, clock: Clock, extended: bool = False) -> date:
    """The last day for the answer to a request received on that day (S4; UK GDPR Art 12(3)).

    The corresponding date of the month, clamped to the month's end. An extension counts from receipt as well. Where
    the figures allow it, and unlike a destruction deadline (D1), a last day on a weekend becomes the next Monday.
    """
    last = month_after(received, clock.months + (clock.extension_months if extended else 0))
    return next_working_day(last) if clock.weekend_roll else last


def next_working_day(day: date) -> date:
    """The day itself from Monday to Friday, otherwise the Monday after it."""
    return day + timedelta(days=7 - day.weekday()) if day.weekday() >= _SATURDAY else day
