"""Tokens that leave: one number for everybody, in no order, nothing said by what is common (N3)."""

from __future__ import annotations

import polars as pl
import pytest

from linkage.errors import FlowRefused, Misuse
from linkage.identifiers.standardise import STANDARD, standardise
from linkage.tokens import parts, rules
from linkage.tokens.keys import LinkageKey
from linkage.tokens.leaving import leave, leaving
from linkage.tokens.padding import pad, width
from linkage.tokens.rules import MatchKey, Part
from linkage.tokens.tokenise import tokenise

KEY = LinkageKey(bytes.fromhex("9f1c7ae3550b42d86e01fb37c499a85d13e6f02a7b84cd5921b0e86f34dda971"))
EACH = ["record_id", "match_key", "person_token"]


def people(*rows: dict) -> pl.DataFrame:
    given = {
        "gender": "F",
        "address": "14 High Street",
        "postcode": "SE11 4AB",
        "date_of_birth": "1984-05-17",
        "nino": "AB123456C",
    }
    listed = [{"record_id": str(place)} | given | row for place, row in enumerate(rows)]
    return standardise(pl.DataFrame(listed))


MIXED = people(
    {"forename": "Jo", "surname": "Ng"},
    {"forename": "Maximilian-Alexander", "surname": "Featherstonehaugh-Smythe", "nino": "AB112233C"},
    {"forename": "Bill", "surname": "Brown", "date_of_birth": "1990-12-24", "nino": None, "postcode": None},
    {"forename": "Ted", "surname": "Lloyd", "date_of_birth": "1991-01-30", "address": None},
)


def of(tokens: pl.DataFrame, record_id: str) -> set[tuple[str, bytes]]:
    mine = tokens.filter(pl.col("record_id") == record_id)
    return set(mine.select(pl.col("match_key").cast(pl.String), "person_token").iter_rows())


@pytest.mark.parametrize("kind", ["compound", "field"])
def test_everybody_with_a_match_key_shows_as_many_tokens_of_it_as_everybody_else(kind):
    """Otherwise the number of a name's neighbours tells its length, and the length narrows the name down."""
    made = pl.concat(leaving(MIXED, KEY, kind))
    counts = made.group_by("match_key", "record_id").len().group_by("match_key").agg(pl.col("len").unique())
    told = {one.name: [width(one)] for one in rules.load().of_kind(kind)}
    assert {str(name): numbers for name, numbers in counts.iter_rows()} == told
    assert not made.is_duplicated().any()


def test_what_a_person_lacks_stays_missing():
    """A fill where nothing is known would look like a difference to whoever matches."""
    lacking = {name for name, _ in of(pl.concat(leaving(MIXED, KEY, "compound")), "2")}
    assert lacking
    assert not any("nino" in name or "postcode" in name or "sector" in name for name in lacking)


def test_the_fill_takes_nothing_away_unless_somebody_has_too_many():
    made = pl.concat(leaving(MIXED, KEY, "compound"))
    plain = tokenise(MIXED, KEY, "compound")
    kept = plain.join(made, on=EACH, how="semi")
    cut = plain.join(made, on=EACH, how="anti").group_by("match_key", "record_id").len()
    many = plain.group_by("match_key", "record_id").len("all").join(cut, on=["match_key", "record_id"])
    widths = {one.name: width(one) for one in rules.load().match_keys}
    assert len(kept) > 0.7 * len(plain)
    assert all(each - gone == widths[str(name)] for name, _, each, gone in many.iter_rows())


def test_the_fill_joins_nobody_elses_tokens_and_twins_share_all_or_nothing_of_it():
    """Two people with the same tokens of a match-key share the fill, so that what they share cannot be counted."""
    twins = people({"forename": "Ada", "surname": "Okafor"}, {"forename": "Eve", "surname": "Okafor"})
    made = pl.concat(leaving(twins, KEY, "compound"))
    shared = of(made, "0") & of(made, "1")
    per_key = {name: sum(other == name for other, _ in shared) for name, _ in shared}
    same_surname = next(one for one in rules.load().match_keys if one.name == "surname-near-dob-postcode")
    assert per_key[same_surname.name] == width(same_surname)
    strangers = pl.concat(leaving(MIXED, KEY, "compound"))
    plain = tokenise(MIXED, KEY, "compound")
    fill = strangers.join(plain, on=EACH, how="anti")
    assert fill["person_token"].n_unique() == len(fill)
    assert fill.join(plain, on="person_token").is_empty()


def test_the_same_people_in_another_order_make_the_same_file():
    for kind in ("compound", "field"):
        again = pl.concat(leaving(MIXED.reverse(), KEY, kind))
        assert again.equals(pl.concat(leaving(MIXED, KEY, kind)))


def test_another_key_makes_another_fill():
    made, other = (pl.concat(leaving(MIXED, key, "compound")) for key in (KEY, LinkageKey.throwaway()))
    assert made.join(other, on="person_token").is_empty()


def test_every_part_of_several_texts_has_a_figure_in_the_policy_file():
    empty = pl.DataFrame(schema=dict.fromkeys(STANDARD, pl.String))
    used = {part.name for one in rules.load().match_keys for part in one.parts}
    several = {name for name in used if isinstance(empty.select(t=parts.texts(name)).schema["t"], pl.List)}
    assert several <= set(rules.load().padding.parts)


def test_several_tokens_without_a_figure_are_refused_by_name():
    one = MatchKey("made-up", "compound", (Part("forename", "made-up"),))
    tokens = tokenise(MIXED, KEY, "compound", ["forename-near-surname-dob"])
    with pytest.raises(Misuse, match="match-key made-up"):
        pad(tokens, one, KEY)


def test_tokens_too_many_people_hold_do_not_leave_and_leave_no_trace_in_the_numbers():
    crowd = people(*({"forename": "Ann", "surname": "Smith", "nino": None} for _ in range(30)))
    assert leave(crowd, KEY, "compound").is_empty()


def test_over_budget_nothing_leaves():
    pairs = people(
        *(
            {"forename": f"{'ABCDEFGHIJ'[n // 10]}{'abcdefghij'[n % 10]}an", "nino": None, "surname": "Poe"}
            for n in range(60)
        )
    )
    both = pl.concat([pairs, pairs.with_columns(record_id="again" + pl.col("record_id"))])
    with pytest.raises(FlowRefused, match="N3: match-key"):
        leave(both, KEY, "compound")


def test_nobody_at_all_leaves_an_empty_file():
    assert leave(MIXED.clear(), KEY, "compound").is_empty()
