"""Corrections: one value of one column put right in the rows of one person, and in no other row (S2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import polars as pl

from linkage.errors import CheckFailed, Misuse
from linkage.identifiers import names
from linkage.identifiers.standardise import RAW, standardise, unusable


@dataclass(frozen=True, slots=True)
class Correction:
    """What is wrong: `column`, the right `value`, and where told the wrong one (`was`) and the `feed` that has it.

    Without `was`, every other value of an identifier that the authority's own record has is the wrong one.
    """

    column: str
    value: str
    was: str | None = None
    feed: str | None = None

    @classmethod
    def of(cls, told: Mapping[str, str | None]) -> Correction:
        """The correction as entered. Raises Misuse when it is incomplete or its value could not be an identifier's."""
        surplus = set(told) - {"column", "value", "was", "feed"}
        if surplus or not told.get("column") or not told.get("value"):
            raise Misuse("a correction has column and value, and may have was and feed")
        found = cls(str(told["column"]), str(told["value"]), told.get("was"), told.get("feed"))
        if found.column in RAW:
            frame = pl.DataFrame({"record_id": ["1"], found.column: [found.value]})
            if any(unusable(frame, standardise(frame)).values()):
                raise Misuse(f"the new {found.column} cannot be read; dates are YYYY-MM-DD")
        elif found.feed is None or found.was is None:
            raise Misuse("a correction of anything but an identifier names the feed and the value that is wrong (was)")
        return found

    def told(self) -> dict[str, str | None]:
        """As it is kept in the request."""
        return asdict(self)

    def wrong_in(self, frame: pl.DataFrame, theirs: pl.Series, old: set[str]) -> pl.Series:
        """Which of the person's rows hold a wrong value: `was`, or one of the `old` ones."""
        if self.column not in frame.columns:
            return pl.zeros(frame.height, dtype=pl.Boolean, eager=True)
        wrong = {plain(self.was)} if self.was else {plain(one) for one in old} - {plain(self.value)}
        held = names.fold(pl.col(self.column).cast(pl.String))
        return theirs & frame.select(held.is_in(list(wrong)).fill_null(value=False)).to_series()

    def applied(self, frame: pl.DataFrame, wrong: pl.Series) -> pl.DataFrame:
        """The frame with the value put right in the marked rows, the column's type kept.

        Raises CheckFailed when the value does not fit the column.
        """
        kind = frame.schema[self.column]
        try:
            value = (
                pl.Series([self.value]).str.to_date("%Y-%m-%d")
                if kind == pl.Date
                else pl.Series([self.value]).cast(kind)
            )
        except pl.exceptions.PolarsError:
            raise CheckFailed(f"the new value does not fit the column {self.column}") from None
        put = pl.when(wrong).then(pl.lit(value.first(), dtype=kind)).otherwise(pl.col(self.column)).alias(self.column)
        flag = f"{self.column}_invalid"
        if flag not in frame.columns:
            return frame.with_columns(put)
        return frame.with_columns(put, pl.when(wrong).then(statement=False).otherwise(pl.col(flag)).alias(flag))


def plain(text: str | None) -> str:
    """A value as it is compared: capitals, accents and spare spaces aside."""
    folded = pl.select(names.fold(pl.lit(text, dtype=pl.String))).item()
    return "" if folded is None else str(folded)
