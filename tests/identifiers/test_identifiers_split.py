"""Identifiers are kept apart from everything else (N13), joined only by random references."""

from __future__ import annotations

import polars as pl
import pytest

from linkage.errors import FlowRefused, Misuse
from linkage.identifiers.split import fresh_refs, split

FRAME = pl.DataFrame({"ref": ["a", "b"], "surname": ["Ng", "Day"], "status": ["joined", "invited"]})


def test_identifiers_and_attributes_part_and_keep_only_the_reference_in_common():
    identifiers, attributes = split(FRAME, ["surname"], ["status"], ["ref"])
    assert identifiers.columns == ["ref", "surname"]
    assert attributes.columns == ["ref", "status"]
    assert identifiers.join(attributes, on="ref").height == 2


def test_a_column_that_nobody_declared_refuses_the_flow():
    with pytest.raises(FlowRefused, match="N3.*status"):
        split(FRAME, ["surname"], [], ["ref"])


def test_a_column_cannot_be_identifier_and_attribute():
    with pytest.raises(FlowRefused, match="N13.*surname"):
        split(FRAME, ["surname"], ["surname", "status"], ["ref"])


def test_a_missing_column_and_a_missing_reference_are_misuse():
    with pytest.raises(Misuse, match="address is missing"):
        split(FRAME, ["surname", "address"], ["status"], ["ref"])
    with pytest.raises(Misuse, match="reference"):
        split(FRAME, ["surname"], ["status", "ref"], [])


def test_every_recipient_gets_a_reference_of_its_own_and_none_repeats():
    refs = fresh_refs(5_000, ["dwp", "moj", "dfe", "ons"])
    drawn = pl.concat([refs[name] for name in refs.columns])
    assert drawn.n_unique() == 20_000
    assert drawn.str.contains("^[0-9a-f]{32}$").all()
    assert fresh_refs(1, ["dwp"]).row(0) != fresh_refs(1, ["dwp"]).row(0)


def test_references_use_all_their_bits():
    digits = fresh_refs(4_000, ["dwp"])["dwp"]
    for place in range(32):
        # Each of sixteen digits is expected 250 times; 120 either way is eight standard deviations.
        counts = digits.str.slice(place, 1).value_counts()["count"]
        assert len(counts) == 16
        assert counts.min() > 130
        assert counts.max() < 370


def test_no_rows_and_no_recipients():
    assert fresh_refs(0, ["dwp"]).shape == (0, 1)
    for bad in ([], ["dwp", "dwp"]):
        with pytest.raises(Misuse):
            fresh_refs(3, bad)
