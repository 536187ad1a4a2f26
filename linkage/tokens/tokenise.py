"""Standard identifiers to keyed tokens: HMAC-SHA-256 cut to 128 bits, one derived key per match-key."""

from __future__ import annotations

import binascii
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, cast

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  registers the `chash` namespace

from linkage.errors import CheckFailed, Misuse
from linkage.identifiers.standardise import STANDARD
from linkage.tokens import parts, rules
from linkage.tokens.keys import LinkageKey
from linkage.tokens.rules import Kind, MatchKey, Rules

TOKEN_BYTES: Final = 16
ROWS: Final = 32_768  # people made into tokens at a time: about two million tokens, some hundred megabytes
_BETWEEN: Final = "\x1f"  # parts cannot run into one another: no standard column holds it
_MOST_WORKERS: Final = 8  # each holds one part in memory


def tokenise(
    standard: pl.DataFrame, key: LinkageKey, kind: Kind, match_keys: Sequence[str] | None = None
) -> pl.DataFrame:
    """Tokens of a standardised frame: record_id (text), match_key (Enum), person_token (Binary, 16 bytes), no repeats.

    A person has no token for a match-key of which a part is missing, and several where a part has several texts.
    Same input, key and version give the same tokens. `match_keys` names some of the kind's match-keys; default all.
    Raises Misuse when the frame is not standardised or a match-key is unknown.
    """
    made = list(tokenise_parts(standard, key, kind, match_keys=match_keys))
    return pl.concat(made) if made else pl.DataFrame(schema=_schema(rules.load()))


def tokenise_parts(
    standard: pl.DataFrame,
    key: LinkageKey,
    kind: Kind,
    *,
    match_keys: Sequence[str] | None = None,
    rows: int = ROWS,
) -> Iterator[pl.DataFrame]:
    """The tokens of `tokenise` in parts of `rows` people each, so that memory does not grow with the file.

    A few parts are made ahead, one per processor.
    """
    told = rules.load()
    chosen = _chosen(standard, kind, match_keys, told)
    workers = min(pl.thread_pool_size(), _MOST_WORKERS)
    ahead: deque[Future[pl.DataFrame]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, standard.height, rows):
            ahead.append(pool.submit(_made, standard.slice(start, rows), chosen, key, told))
            if len(ahead) > workers:
                yield _result(ahead.popleft())
        while ahead:
            yield _result(ahead.popleft())


def _chosen(standard: pl.DataFrame, kind: Kind, match_keys: Sequence[str] | None, told: Rules) -> list[MatchKey]:
    missing = [column for column in STANDARD if column not in standard.columns]
    if missing:
        raise Misuse(f"not a standardised frame: column {missing[0]} is missing")
    offered = told.of_kind(kind)
    if not offered:
        raise Misuse("the kind of token is compound or field")
    if match_keys is None:
        return list(offered)
    unknown = set(match_keys) - {one.name for one in offered}
    if unknown:
        raise Misuse(f"no {kind} match-key of this version: {', '.join(sorted(unknown))}")
    return [one for one in offered if one.name in set(match_keys)]


def _result(made: Future[pl.DataFrame]) -> pl.DataFrame:
    if made.exception() is None:
        return made.result()
    # Messages may quote a text or a plan, so none is shown, chained or bound to a name.
    raise CheckFailed(f"the tokens could not be made: {type(made.exception()).__name__}")


def _made(people: pl.DataFrame, chosen: list[MatchKey], key: LinkageKey, told: Rules) -> pl.DataFrame:
    """All tokens of a few people. Each part of a match-key once, however many match-keys it stands in.

    Eager throughout, so that no plan with a key in it can be kept.
    """
    used = sorted({part.name for one in chosen for part in one.parts})
    texts = pl.DataFrame(
        [pl.Series("row", range(people.height), dtype=pl.UInt32), *(_part(people, name) for name in used)]
    )
    schema = _schema(told)
    made = [pl.DataFrame(schema=schema)]
    for one in chosen:
        held = _joined(texts, [part.name for part in one.parts])
        tokens = _tokens(held["text"], one, key, told.version)
        named = pl.lit(one.name, dtype=schema["match_key"])
        made.append(pl.select(people["record_id"].gather(held["row"]), named.alias("match_key"), tokens))
    return pl.concat(made, rechunk=True)


def _part(people: pl.DataFrame, name: str) -> pl.Series:
    """The texts of one part, a row per person. What people share (names, dates) is worked out once."""
    text = parts.texts(name).alias(name)
    roots = sorted(set(text.meta.root_names()))
    if not isinstance(people.clear().select(text).schema[name], pl.List):
        return people.select(text).to_series()
    told = people.select(roots).unique().with_columns(text)
    return people.select(roots).join(told, on=roots, how="left", nulls_equal=True, maintain_order="left")[name]


def _joined(texts: pl.DataFrame, wanted: list[str]) -> pl.DataFrame:
    """row and text of everybody who has all parts; each combination where parts have several texts."""
    held = texts.select("row", *wanted).drop_nulls()
    for name in wanted:
        if isinstance(held.schema[name], pl.List):
            held = held.explode(name, empty_as_null=False)
    return held.select("row", text=pl.concat_str(wanted, separator=_BETWEEN))


def _tokens(text: pl.Series, one: MatchKey, key: LinkageKey, version: int) -> pl.Series:
    if len(one.parts) > 1:
        return hashed(text, key, one.kind, one.name, version)
    # A name or a date alone is many people's: each is hashed once.
    distinct = text.unique()
    told = distinct.to_frame("text").with_columns(hashed(distinct, key, one.kind, one.name, version))
    return text.to_frame("text").join(told, on="text", how="left", maintain_order="left")["person_token"]


def hashed(text: pl.Series, key: LinkageKey, kind: Kind, name: str, version: int) -> pl.Series:
    """The tokens of texts without nulls under a match-key's own key: person_token (Binary, TOKEN_BYTES each)."""
    import pyarrow as pa

    told = first_bytes(text, key, kind, name, version, TOKEN_BYTES)
    cut = pa.Array.from_buffers(pa.binary(TOKEN_BYTES), len(text), [None, pa.py_buffer(told)])
    return pl.Series("person_token", cut, dtype=pl.Binary)


def first_bytes(text: pl.Series, key: LinkageKey, kind: Kind, name: str, version: int, size: int) -> bytes:
    """As `hashed`, the first `size` bytes of each token, one after another."""
    # The key is in the expression: it is never bound to a name, printed or kept.
    keyed = cast(Any, pl.col("text")).chash.hmac_sha256(key=key.match_key(kind, name, version))
    return _decoded(text.to_frame("text").select(keyed.str.head(2 * size)).to_series())


def _decoded(hexadecimal: pl.Series) -> bytes:
    """Texts without nulls as bytes: one pass over the letters, three times faster than `decode`."""
    if hexadecimal.is_empty():
        return b""
    told = hexadecimal.to_arrow(compat_level=pl.CompatLevel.oldest())
    starts, letters = np.frombuffer(told.buffers()[1], dtype=np.int64), memoryview(told.buffers()[2])
    return binascii.unhexlify(letters[starts[told.offset] : starts[told.offset + len(told)]])


def _schema(told: Rules) -> dict[str, pl.DataType]:
    return {"record_id": pl.String(), "match_key": pl.Enum(told.names), "person_token": pl.Binary()}
