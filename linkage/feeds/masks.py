"""Contract to Polars: which rows break which rule, and the typed, minimised frame of the rows that break none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl

from linkage.feeds.contract import FLAGS, Column, Contract, Rule
from linkage.feeds.text_file import ROW_NO
from linkage.identifiers import validity

DATE_SHAPE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
WHOLE_SHAPE = "-?[0-9]{1,9}"
# OWASP, CSV injection: characters that make a spreadsheet run the cell.
FORMULA_SHAPE = r"[ \t\r\n]*[-+=@＝＋－＠]"  # white space or a full-width sign before it disarms nothing
# Line breaks and tabs are allowed inside quoted text (RFC 4180); other control characters are not.
CONTROL_SHAPE = "[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]"

ROWS_AT_ONCE = 200_000
VIOLATIONS_SCHEMA: dict[str, pl.DataType] = {ROW_NO: pl.Int32(), "column": pl.String(), "reason": pl.String()}
_VALID: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "nino": validity.valid_nino,
    "postcode": validity.valid_postcode,
    "nhs_number": validity.valid_nhs_number,
    "upn": validity.valid_upn,
}


@dataclass(frozen=True)
class Mask:
    """Where a row is broken: `bad` is a Boolean expression over the text frame; null counts as not broken."""

    column: str
    reason: str
    bad: pl.Expr


def row_masks(contract: Contract, as_of: date) -> list[Mask]:
    """Every (column, reason) that one row shows by itself, in the order violations are told."""
    found = [mask for column in contract.columns for mask in _column_masks(column, as_of)]
    return found + [mask for rule in contract.rules for mask in _rule_masks(rule, contract)]


def between_masks(contract: Contract) -> list[Mask]:
    """What only rows together show; to be evaluated over rows that are sound by themselves."""
    rules = (rule for rule in contract.rules if rule.between_rows)
    return [mask for rule in rules for mask in _unique_masks(rule, contract)]


def violations(frame: pl.DataFrame, contract: Contract, as_of: date) -> pl.DataFrame:
    """The broken cells of a text frame: row_no, column, reason; by row, then contract order. Never a value.

    Rows are compared with each other only when they are sound: a broken row is set aside and drags no other with it.
    """
    told = row_masks(contract, as_of)
    alone = pl.concat([_hits(part, told, contract) for part in (frame.clear(), *_slices(frame))])
    together = _hits(_alike(frame, alone[ROW_NO].unique(), contract), between_masks(contract), contract)
    return pl.concat([alone, together]).sort(ROW_NO, "place", "order").select(*VIOLATIONS_SCHEMA)


def _alike(frame: pl.DataFrame, broken: pl.Series, contract: Contract) -> pl.DataFrame:
    """The sound rows that agree with another one in what a unique rule names: only these can repeat or conflict.

    They are found by a hash of the named columns, which takes a few bytes a row. Two that share a hash by chance are
    looked at with the others, and found different.
    """
    keys = [pl.struct(rule.columns).hash().alias(str(n)) for n, rule in enumerate(contract.rules) if rule.between_rows]
    if not keys:
        return frame.clear()
    hashed = frame.select(ROW_NO, *keys).filter(~pl.col(ROW_NO).is_in(broken.implode()))
    alike = hashed.filter(pl.any_horizontal(pl.exclude(ROW_NO).is_duplicated()))[ROW_NO]
    return frame.filter(pl.col(ROW_NO).is_in(alike.implode())) if len(alike) else frame.clear()


def _hits(frame: pl.DataFrame, told: list[Mask], contract: Contract) -> pl.DataFrame:
    """One row per hit: row_no, column, reason, and two sort keys (column's place, mask's place)."""
    schema = VIOLATIONS_SCHEMA | {"place": pl.Int32(), "order": pl.Int32()}
    hits = frame.select(ROW_NO, *(mask.bad.fill_null(False).alias(str(order)) for order, mask in enumerate(told)))
    # Most masks find nothing in most files: only the others are worth a frame.
    counts = hits.select(pl.exclude(ROW_NO).sum()).row(0) if told else ()
    found = [
        hits.filter(pl.col(str(order))).select(
            ROW_NO,
            pl.lit(mask.column).alias("column"),
            pl.lit(mask.reason).alias("reason"),
            pl.lit(contract.order(mask.column), pl.Int32).alias("place"),
            pl.lit(order, pl.Int32).alias("order"),
        )
        for order, mask in enumerate(told)
        if counts[order]
    ]
    return pl.concat([pl.DataFrame(schema=schema), *found])


def typed(frame: pl.DataFrame, broken: pl.Series, contract: Contract) -> pl.DataFrame:
    """The kept columns of the rows not `broken`: dates as Date, numbers as Int32, flags as Boolean, mapped codes (N3).

    An invalid identifier becomes null and `<column>_invalid` is true; row_no stays.
    """
    flags = [invalid(column).fill_null(False).alias(column.flag_name) for column in contract.identifiers]
    values = [_kept(column).alias(column.name) for column in contract.kept]
    told = [ROW_NO, *values, *(column.flag_name for column in contract.identifiers)]
    # Lazily, so that what several expressions share, such as an identifier without its spaces, is worked out once.
    whole = (part.lazy().filter(~pl.col(ROW_NO).is_in(broken.implode())) for part in (frame.clear(), *_slices(frame)))
    return pl.concat([part.with_columns(flags).select(told).collect() for part in whole])


def _slices(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Row by row nothing depends on the other rows: in slices, a large file needs no column of its whole length."""
    return frame.iter_slices(ROWS_AT_ONCE)


def invalid(column: Column) -> pl.Expr:
    """Whether a given identifier could not be real; null where none was given."""
    assert column.identifier is not None
    return ~_VALID[column.identifier](pl.col(column.name))


def value(column: Column) -> pl.Expr:
    """The column cast strictly by its kind; null where empty or not castable. Nothing is guessed."""
    text = pl.col(column.name)
    match column.kind:
        case "date":
            return pl.when(_whole_match(text, DATE_SHAPE)).then(text.str.to_date("%Y-%m-%d", strict=False))
        case "whole":
            return pl.when(_whole_match(text, WHOLE_SHAPE)).then(text.cast(pl.Int32, strict=False))
        case "flag":
            return text.replace_strict(FLAGS, default=None, return_dtype=pl.Boolean)
        case _:
            return text.replace_strict(column.map, default=None) if column.map else text


def _kept(column: Column) -> pl.Expr:
    told = value(column)
    if column.identifier:
        return pl.when(~pl.col(column.flag_name)).then(told)
    if column.blank_when:
        flag = pl.col(column.blank_when).replace_strict(FLAGS, default=None, return_dtype=pl.Boolean)
        return pl.when(~flag.fill_null(False)).then(told)
    return told


def _column_masks(column: Column, as_of: date) -> Iterator[Mask]:
    text, name = pl.col(column.name), column.name
    if column.required:
        yield Mask(name, "missing_value", text.is_null())
    match column.kind:
        case "date":
            told = value(column)
            yield Mask(name, "bad_date", text.is_not_null() & told.is_null())
            yield Mask(name, "date_too_early", told < column.earliest)
            if not column.future:
                yield Mask(name, "future_date", told > as_of)
        case "whole":
            told = value(column)
            yield Mask(name, "not_whole_number", text.is_not_null() & told.is_null())
            if column.min is not None or column.max is not None:
                yield Mask(name, "out_of_range", _outside(told, column))
        case "flag" | "code":
            yield Mask(name, "unknown_code", ~text.is_in(column.accepts))
        case "code_list":
            yield Mask(name, "unknown_code", ~_whole_match(text, code_list_shape(column)))
        case "text":
            yield Mask(name, "too_long", text.str.len_chars() > column.max_length)
            yield Mask(name, "control_character", text.str.contains(CONTROL_SHAPE))
            yield Mask(name, "formula", text.str.contains(rf"\A{FORMULA_SHAPE}"))
            if column.pattern:
                yield Mask(name, "bad_shape", ~_whole_match(text, column.pattern))


def code_list_shape(column: Column) -> str:
    """The pattern of a `;` list of the column's codes."""
    one = "|".join(column.codes)
    return f"(?:{one})(?:;(?:{one}))*"


def _rule_masks(rule: Rule, contract: Contract) -> Iterator[Mask]:
    def told(name: str) -> pl.Expr:
        return value(contract.column(name))

    match rule.kind:
        case "at_least":
            yield Mask(rule.column, rule.reason or "out_of_range", told(rule.column) < rule.value)
        case "sum_at_most":
            total = sum((told(name) for name in rule.columns[1:]), told(rule.columns[0]))
            yield Mask(rule.columns[0], rule.reason or "out_of_range", total > told(rule.other))
        case "not_before":
            reason = rule.reason or "dates_out_of_order"
            yield Mask(rule.column, reason, told(rule.column) < told(rule.other))
        case "one_present":
            nothing = pl.all_horizontal(pl.col(rule.columns).is_null())
            yield Mask(rule.columns[0], rule.reason or "missing_value", nothing)


def _unique_masks(rule: Rule, contract: Contract) -> Iterator[Mask]:
    repeat = pl.struct(contract.names).is_first_distinct().not_()
    yield Mask(rule.blames, "repeated_row", repeat)
    known = pl.all_horizontal(pl.col(rule.columns).is_not_null())
    # Counted over the first copy of each row only: a repeated row conflicts with nothing.
    copies = pl.when(~repeat).then(1).otherwise(0).sum().over(rule.columns)
    yield Mask(rule.blames, rule.reason or "conflicting_rows", ~repeat & known & (copies > 1))


def _outside(told: pl.Expr, column: Column) -> pl.Expr:
    below = told < column.min if column.min is not None else pl.lit(False)
    return below | (told > column.max) if column.max is not None else below


def _whole_match(text: pl.Expr, shape: str) -> pl.Expr:
    return text.str.contains(rf"\A(?:{shape})\z")
