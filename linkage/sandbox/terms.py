"""The school calendar: terms before a date, of which three count and the fourth does not, and when the year began."""

from __future__ import annotations

from datetime import date

_LAST_DAYS = (("spring", 3, 31), ("summer", 7, 31), ("autumn", 12, 31))
SESSIONS = {"autumn": 146, "spring": 118, "summer": 122}  # two a day, about 190 school days a year


def finished_terms(as_of: date, count: int = 4) -> list[str]:
    """The last `count` terms that were over on `as_of`, oldest first, written as `2022-summer`."""
    ended = [
        (date(year, month, day), f"{year}-{name}")
        for year in range(as_of.year - count, as_of.year + 1)
        for name, month, day in _LAST_DAYS
    ]
    return [term for last_day, term in ended if last_day < as_of][-count:]


def school_year_start(as_of: date) -> date:
    """The last 1 September on or before `as_of`. People's births are set from it, so that two deliveries of one school
    year are about the same people."""
    return date(as_of.year if as_of.month >= 9 else as_of.year - 1, 9, 1)


def sessions(term: str) -> int:
    """Possible sessions of a full term."""
    return SESSIONS[term.split("-")[1]]
