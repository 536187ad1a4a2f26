"""Ages, windows and school terms as of a date, as polars expressions and plain dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from linkage.early_help.criteria import Terms
from linkage.policy.deadlines import month_after

TERMS = ("spring", "summer", "autumn")
"""The terms of a calendar year in order; `2021-autumn` is number 2021 * 3 + 2."""


def age(born: pl.Expr, on: pl.Expr | date) -> pl.Expr:
    """Completed years on a date; someone born on 29 February is a year older on 1 March. Null where not born yet."""
    day = pl.lit(on) if isinstance(on, date) else on
    had_birthday = _month_day(day) >= _month_day(born)
    years = day.dt.year() - born.dt.year() - (~had_birthday).cast(pl.Int32)
    return pl.when(born <= day).then(years)


def _month_day(day: pl.Expr) -> pl.Expr:
    # Months and days are 8-bit numbers, which a product by a hundred would overflow.
    return day.dt.month().cast(pl.Int32) * 100 + day.dt.day()


@dataclass(frozen=True)
class Window:
    """A stretch of days, both ends included."""

    first: date
    last: date

    def holds(self, day: pl.Expr) -> pl.Expr:
        """Whether `day` lies in the window; null where it is not known."""
        return day.is_between(self.first, self.last)


def months_to(as_of: date, months: int) -> Window:
    """The last `months` calendar months: from the corresponding date, clamped to the month's end, to `as_of` (D1)."""
    return Window(month_after(as_of, -months), as_of)


def months_from(as_of: date, months: int) -> Window:
    """The next `months` calendar months, from `as_of` to the corresponding date (D1)."""
    return Window(as_of, month_after(as_of, months))


def term_number(term: pl.Expr) -> pl.Expr:
    """`YYYY-name` as a running number, so that consecutive terms are consecutive integers; null if not a term."""
    year = term.str.slice(0, 4).cast(pl.Int32, strict=False)
    name = term.str.slice(5).replace_strict(dict(zip(TERMS, range(3), strict=True)), default=None)
    return year * 3 + name.cast(pl.Int32)


def last_completed_term(as_of: date, terms: Terms) -> int:
    """The number of the last term whose last day lies before `as_of`."""
    numbers = (as_of.year * 3 + offset for offset in (2, 1, 0, -1))
    return next(number for number in numbers if term_last_day(number, terms) < as_of)


def term_last_day(number: int, terms: Terms) -> date:
    """The last day of term `number`."""
    year, name = divmod(number, 3)
    return date.fromisoformat(f"{year}-{terms.last_days[TERMS[name]]}")  # type: ignore[index]


def term_name(number: int) -> str:
    """`YYYY-name` of term `number`."""
    year, name = divmod(number, 3)
    return f"{year}-{TERMS[name]}"
