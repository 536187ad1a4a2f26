"""School terms before a date: which three count, and the one before them, which does not."""

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


def sessions(term: str) -> int:
    """Possible sessions of a full term."""
    return SESSIONS[term.split("-")[1]]
