"""Standard identifiers to keyed tokens: HMAC-SHA-256 cut to 128 bits, one derived key per match-key."""

from __future__ import annotations

from typing import Any, Final, cast

import polars as pl
import polars_hash  # noqa: F401  registers the `chash` namespace

from linkage.errors import Misuse
from linkage.identifiers.standardise import STANDARD
from linkage.tokens import parts, rules
from linkage.tokens.keys import LinkageKey
from linkage.tokens.rules import Kind, MatchKey

TOKEN_BYTES: Final = 16
_BETWEEN: Final = "\x1f"  # parts cannot run into one another: no standard column holds it


def tokenise(standard: pl.DataFrame, key: LinkageKey, kind: Kind) -> pl.DataFrame:
    """Tokens of a standardised frame: record_id (text), match_key (Enum), person_token (Binary, 16 bytes), no repeats.

    A person has no token for a match-key of which a part is missing, and several where a part has several texts.
    Same input, key and version give the same tokens. Raises Misuse when the frame is not standardised.
    """
    missing = [column for column in STANDARD if column not in standard.columns]
    if missing:
        raise Misuse(f"not a standardised frame: column {missing[0]} is missing")
    told = rules.load()
    chosen = told.of_kind(kind)
    if not chosen:
        raise Misuse("the kind of token is compound or field")
    used = {part.name for match_key in chosen for part in match_key.parts}
    # Each part once, however many match-keys it stands in. Eager, so that no plan with a key in it can be kept.
    texts = standard.select("record_id", *(parts.texts(name).alias(name) for name in sorted(used)))
    names = pl.Enum(told.names)
    return pl.concat([_tokens(texts, one, key, told.version, names) for one in chosen], rechunk=True)


def _tokens(texts: pl.DataFrame, one: MatchKey, key: LinkageKey, version: int, names: pl.Enum) -> pl.DataFrame:
    wanted = [part.name for part in one.parts]
    rows = texts.select("record_id", *wanted).drop_nulls()
    for name in wanted:
        if isinstance(rows.schema[name], pl.List):
            rows = rows.explode(name).drop_nulls(name)
    secret = key.match_key(one.kind, one.name, version)
    joined = rows.select("record_id", text=pl.concat_str(wanted, separator=_BETWEEN)).unique(maintain_order=True)
    return joined.select(
        "record_id",
        match_key=pl.lit(one.name, dtype=names),
        person_token=_hmac(pl.col("text"), secret).str.head(2 * TOKEN_BYTES).str.decode("hex"),
    )


def _hmac(text: pl.Expr, secret: str) -> pl.Expr:
    """HMAC-SHA-256 as 64 hexadecimal characters. The key is in the expression: never print or keep it."""
    return cast(pl.Expr, cast(Any, text).chash.hmac_sha256(key=secret))
