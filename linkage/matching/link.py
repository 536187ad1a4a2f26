"""Link two files of identifiers in one place: tokens under a key that nobody keeps, then the match on tokens alone."""

from __future__ import annotations

import polars as pl

from linkage.identifiers.standardise import standardise
from linkage.matching.match import MatchResult, match
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise


def link(left: pl.DataFrame, right: pl.DataFrame) -> MatchResult:
    """Who is in both files; columns as in `standardise`. Field tokens, because they never leave this process.

    Raises Misuse for a file without rows, or without a record_id of its own for every row.
    """
    key = LinkageKey.throwaway()
    return match(*(tokenise(standardise(side), key, "field") for side in (left, right)))
