"""Who withdrew: keyed entries that recognise a person again without naming them, and leave a twin alone (S3)."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Final

import polars as pl

from linkage import policy, settings
from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.errors import Misuse
from linkage.evaluation.linkage_root import sub_key
from linkage.identifiers.standardise import standardise
from linkage.tokens import rules
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

ENTRY: Final = pl.Schema({"match_key": pl.String, "person_token": pl.Binary})
_FILE = "rights.toml"


def suppressed(vault: Vault, cohort: pl.DataFrame) -> set[str]:
    """The `person_id` of everybody in the cohort who withdrew (S3).

    `cohort` has person_id and the identifiers. A person is recognised by one compound token that rests on the forename
    and on the date of birth or National Insurance number: whoever shares only household and birthday stays in.
    """
    held = vault.find("suppression", programme=policy.load().name)
    if not held or cohort.is_empty():
        return set()
    entries = pl.concat([vault.read_frame(one.id) for one in held])
    people = cohort.rename({"person_id": "record_id"})
    return set(recognised(tokens_under(_own_key(), people), entries))


def enter(vault: Vault, ways: pl.DataFrame, number: str) -> Holding:
    """Keep the keyed entry of a person who withdrew: tokens only, no name, no reference. The same request, once.

    `ways` is how the person is written, one row each, with any of the identifiers as text. Raises Misuse when they
    are too few for an entry that could recognise anybody.
    """
    programme = policy.load().name
    people = ways.with_row_index("record_id").cast({"record_id": pl.String})
    tokens = strong(tokens_under(_own_key(), people)).select(ENTRY.names()).unique().sort(ENTRY.names())
    if tokens.is_empty():
        raise Misuse("a withdrawal needs forename, surname and date of birth, or a National Insurance number with them")
    return vault.put_frame(
        tokens, "suppression", programme=programme, natural_key=f"suppression:{programme}:{number}", label="suppression"
    )


def recognised(tokens: pl.DataFrame, entries: pl.DataFrame, ref: str = "record_id") -> list[str]:
    """The `ref` of those in `tokens` who share a strong token with an entry, sorted; both made under the same key."""
    told = entries.select(pl.col("match_key").cast(pl.String), "person_token")
    return sorted(strong(tokens).join(told, on=["match_key", "person_token"], how="semi")[ref].unique().to_list())


def strong(tokens: pl.DataFrame) -> pl.DataFrame:
    """The tokens whose match-key is enough to say that it is this person (policy/rights.toml), match_key as text."""
    return tokens.cast({"match_key": pl.String}).filter(pl.col("match_key").is_in(list(strong_keys())))


def strong_keys() -> tuple[str, ...]:
    """The compound match-keys that rest on a name part and on an anchor part of policy/rights.toml."""
    names, anchors = _levels(settings.load().policy_dir / _FILE)
    return tuple(
        key.name
        for key in rules.load().of_kind("compound")
        if {part.name for part in key.parts} & names and {part.name for part in key.parts} & anchors
    )


def tokens_under(key: LinkageKey, people: pl.DataFrame) -> pl.DataFrame:
    """Compound tokens of people with a record_id: record_id, match_key, person_token."""
    return tokenise(standardise(people), key, "compound")


def _own_key() -> LinkageKey:
    """The key of this authority's own entries; another authority's would not recognise them."""
    return sub_key(f"suppression-{policy.own_authority()}")


@lru_cache(maxsize=4)
def _levels(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))["suppression"]
        return frozenset(told["names"]), frozenset(told["anchors"])
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise Misuse(f"{_FILE}: {type(error).__name__}: {error}") from None
