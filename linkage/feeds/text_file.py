"""A delivery as text: the frame that readers make and checks take, whatever the file's format."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from linkage.feeds.contract import Contract

ROW_NO = "row_no"
BROKEN_SCHEMA: dict[str, pl.DataType] = {
    ROW_NO: pl.Int32(),
    "column": pl.String(),
    "reason": pl.String(),
    "raw": pl.String(),
}


@dataclass(frozen=True, slots=True)
class TextFile:
    """A delivery as text.

    frame: row_no (Int32, 1 is the row below the header) and every contract column as String; empty is null.
    broken: rows whose shape could not be read (row_no, column, reason, raw), which are not in `frame`.
    refused: reason code when the whole file is refused; `where` then says which column, never a value.
    records: rows as a manifest counts them; ends_whole: whether the last line ends with a line break.
    """

    frame: pl.DataFrame
    broken: pl.DataFrame
    records: int = 0
    refused: str | None = None
    where: str | None = None
    ends_whole: bool = True


def refuse(contract: Contract, reason: str, where: str | None = None) -> TextFile:
    """A refused file: empty frames of the right shape."""
    return TextFile(empty(contract), pl.DataFrame(schema=BROKEN_SCHEMA), refused=reason, where=where)


def empty(contract: Contract) -> pl.DataFrame:
    """The text frame with no rows."""
    return pl.DataFrame(schema={ROW_NO: pl.Int32()} | {name: pl.String() for name in contract.names})


def tidy(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Row numbers and contract columns in contract order; text that is empty or only white space becomes null."""
    return frame.select(pl.col(ROW_NO).cast(pl.Int32), *contract.names).with_columns(
        without_blanks(pl.col(contract.names))
    )


def without_blanks(text: pl.Expr) -> pl.Expr:
    """Text, but null where it is empty or only white space."""
    return pl.when(text.str.strip_chars() != "").then(text)
