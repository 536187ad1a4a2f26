"""Counts of values that were blanked or doubted in rows that are otherwise accepted."""

from __future__ import annotations

import polars as pl

from linkage.feeds.contract import Contract
from linkage.feeds.masks import invalid
from linkage.identifiers.validity import bare


def count_flags(whole: pl.DataFrame, contract: Contract) -> dict[str, int]:
    """Flag → number of accepted rows, for every identifier column; `upn_authority_unknown` is only a warning."""
    told = whole.select(invalid(column).sum().alias(column.flag_name) for column in contract.identifiers)
    flags: dict[str, int] = dict(zip(told.columns, told.row(0), strict=True)) if contract.identifiers else {}
    for column in contract.identifiers:
        if column.identifier == "upn":
            valid = whole.filter(~invalid(column)).select(bare(pl.col(column.name)).str.slice(1, 3).alias("authority"))
            flags["upn_authority_unknown"] = valid.filter(pl.col("authority").is_in(_unknown(valid))).height
    return flags


def _unknown(valid: pl.DataFrame) -> list[str]:
    """Authority codes that python-stdnum's list (January 2011) does not hold."""
    from stdnum.gb import upn

    def listed(authority: str) -> bool:
        rest = f"{authority}000000000"
        return bool(upn.is_valid(upn.calc_check_digit(rest) + rest))

    return [authority for authority in valid["authority"].unique().to_list() if not listed(authority)]
