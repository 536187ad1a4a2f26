"""Counts of values that were blanked or doubted in rows that are otherwise accepted."""

from __future__ import annotations

import polars as pl

from linkage.feeds.contract import Contract
from linkage.identifiers.validity import bare


def count_flags(accepted: pl.DataFrame, contract: Contract) -> dict[str, int]:
    """Flag → number of rows, for every identifier column of accepted, typed rows; `upn_authority_unknown` only warns."""
    flags = {column.flag_name: int(accepted[column.flag_name].sum()) for column in contract.identifiers}
    for column in contract.identifiers:
        if column.identifier == "upn" and column.keep:
            authority = bare(pl.col(column.name)).str.slice(1, 3).alias("authority")
            valid = accepted.lazy().select(authority).group_by("authority").len().drop_nulls().collect()
            flags["upn_authority_unknown"] = int(valid.filter(pl.col("authority").is_in(_unknown(valid)))["len"].sum())
    return flags


def _unknown(valid: pl.DataFrame) -> list[str]:
    """Authority codes that python-stdnum's list (January 2011) does not hold."""
    from stdnum.gb import upn

    def listed(authority: str) -> bool:
        rest = f"{authority}000000000"
        return bool(upn.is_valid(upn.calc_check_digit(rest) + rest))

    return [authority for authority in valid["authority"].to_list() if not listed(authority)]
