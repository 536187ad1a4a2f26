"""No token of one purpose is a token of another: recipient, kind, match-key, version and programme each part them."""

from __future__ import annotations

import dataclasses
import hmac
from itertools import combinations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.identifiers.standardise import standardise
from linkage.tokens import rules
from linkage.tokens.keys import LinkageKey, recipient_key
from linkage.tokens.leaving import leaving
from linkage.tokens.tokenise import hashed, tokenise

ROOT = bytes.fromhex("9f1c7ae3550b42d86e01fb37c499a85d13e6f02a7b84cd5921b0e86f34dda971")
PEOPLE = standardise(
    pl.DataFrame(
        {
            "record_id": ["1", "2", "3"],
            "forename": ["Catherine", "Bill", "Mo"],
            "surname": ["O'Brien-Smith", "Adeyemi", "Ng"],
            "date_of_birth": ["1984-05-17", "1990-12-24", "2009-11-30"],
            "gender": ["F", "M", "X"],
            "address": ["Flat 2, 14 High Street", "3 Low Road", None],
            "postcode": ["SE11 4AB", "M1 1AE", "SE11 4AB"],
            "nino": ["AB123456C", None, None],
        }
    )
)


def made(programme: str, recipient: str, version: int) -> dict[str, set[bytes]]:
    key = recipient_key(lambda info: hmac.digest(ROOT, info, "sha256"), programme, recipient, version)
    return {kind: set(tokenise(PEOPLE, key, kind)["person_token"]) for kind in ("compound", "field")}


purposes = st.tuples(
    st.text("abc_", min_size=1, max_size=4), st.sampled_from(["dwp", "moj", "dfe", "ons-linker"]), st.integers(1, 3)
)


@settings(max_examples=6, deadline=None)
@given(st.lists(purposes, min_size=2, max_size=2, unique=True))
def test_two_recipients_programmes_or_versions_have_no_token_of_the_same_people_in_common(two):
    """Two departments that lay their requests side by side learn nothing from it, in either kind."""
    sets = [tokens for purpose in two for tokens in made(*purpose).values()]
    assert all(len(tokens) > 100 for tokens in sets)
    assert not any(one & other for one, other in combinations(sets, 2))


def test_what_leaves_for_two_recipients_has_nothing_in_common_fill_included():
    files = [
        set(tokens["person_token"])
        for recipient, kind in (("dwp", "compound"), ("moj", "compound"), ("moj", "field"))
        for tokens in leaving(
            PEOPLE, recipient_key(lambda info: hmac.digest(ROOT, info, "sha256"), "p", recipient), kind
        )
    ]
    assert not any(one & other for one, other in combinations(files, 2))


def test_a_new_version_of_the_match_keys_makes_new_tokens(monkeypatch):
    key, told = LinkageKey(ROOT), rules.load()
    before = [set(tokenise(PEOPLE, key, kind)["person_token"]) for kind in ("compound", "field")]
    monkeypatch.setattr(rules, "load", lambda: dataclasses.replace(told, version=told.version + 1))
    after = [set(tokenise(PEOPLE, key, kind)["person_token"]) for kind in ("compound", "field")]
    assert not (before[0] | before[1]) & (after[0] | after[1])


@given(st.text("ABCDEFG\x1f", min_size=1, max_size=12))
def test_one_text_under_two_match_keys_or_kinds_makes_two_tokens(text):
    """Else a date alone could be recognised in whatever match-key has that date alone."""
    key = LinkageKey(ROOT)
    uses = [("compound", "a"), ("compound", "b"), ("field", "a"), ("field", "b")]
    tokens = {hashed(pl.Series([text]), key, kind, name, 1)[0] for kind, name in uses}
    assert len(tokens) == len(uses)


@pytest.mark.parametrize("kind", ["compound", "field"])
def test_no_token_occurs_under_two_match_keys(kind):
    per_token = tokenise(PEOPLE, LinkageKey(ROOT), kind).group_by("person_token").agg(pl.col("match_key").n_unique())
    assert per_token["match_key"].max() == 1
