"""Tokens: keyed, deterministic, near-unique, and telling the same people apart for different recipients."""

from __future__ import annotations

import hashlib
import hmac

import polars as pl
import pytest

from linkage.errors import Misuse
from linkage.identifiers.standardise import standardise
from linkage.tokens import rules
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise, tokenise_parts

KEY = LinkageKey(bytes.fromhex("9f1c7ae3550b42d86e01fb37c499a85d13e6f02a7b84cd5921b0e86f34dda971"))
OTHER = LinkageKey(bytes.fromhex("4b70d2c81e95fa6330e4bb07a15cd98e6f4213f7ac58e06d9b3127fe84c05da9"))
ANN = {
    "forename": "Catherine",
    "surname": "O'Brien-Smith",
    "date_of_birth": "1984-05-17",
    "gender": "F",
    "address": "Flat 2, 14 High Street",
    "postcode": "SE11 4AB",
    "nino": "AB123456C",
}


def tokens(kind="compound", key=KEY, **changes) -> pl.DataFrame:
    raw = ANN | changes
    return tokenise(
        standardise(pl.DataFrame({"record_id": ["1"]} | {name: [text] for name, text in raw.items()})), key, kind
    )


def agreeing(one: pl.DataFrame, other: pl.DataFrame) -> set[str]:
    return set(one.join(other, on=["match_key", "person_token"])["match_key"].cast(pl.String))


def test_a_token_is_the_first_128_bits_of_the_hmac_of_the_parts():
    """Any other implementation of HMAC-SHA-256 must arrive at the same bytes (docs/canonicalisation.md)."""
    text = "\x1f".join(["CATHERINE", "OBRIENSMITH", "1984-05-17"])
    secret = KEY.match_key("compound", "forename-surname-dob", rules.load().version)
    expected = hmac.new(secret.encode("ascii"), text.encode(), hashlib.sha256).digest()[:16]
    made = tokens().filter(pl.col("match_key") == "forename-surname-dob")
    assert made["person_token"].to_list() == [expected]


def test_the_columns_are_record_id_match_key_and_sixteen_bytes():
    for kind in ("compound", "field"):
        made = tokens(kind)
        assert made.columns == ["record_id", "match_key", "person_token"]
        assert made["person_token"].bin.size().unique().to_list() == [16]
        assert made.is_duplicated().sum() == 0


def test_the_same_input_and_key_give_the_same_tokens_and_another_key_gives_none_of_them():
    """Two departments' tokens do not join: each holds a key of its own."""
    assert tokens().equals(tokens())
    for kind in ("compound", "field"):
        mine, theirs = tokens(kind), tokens(kind, key=OTHER)
        assert len(mine) == len(theirs)
        assert mine.join(theirs, on="person_token").is_empty()


def test_no_token_occurs_under_two_match_keys():
    for kind in ("compound", "field"):
        per_token = tokens(kind).group_by("person_token").agg(pl.col("match_key").n_unique())
        assert per_token["match_key"].max() == 1


def test_every_compound_match_key_has_three_parts_or_more():
    """N3: fewer parts would make tokens that many people share."""
    for key in rules.load().of_kind("compound"):
        parts = len(key.parts) + sum(part.component == "names" for part in key.parts)
        assert parts >= 3, key.name


@pytest.mark.parametrize(
    ("changes", "match_key"),
    [
        ({"forename": "Kate"}, "variant-surname-dob"),
        ({"forename": "Catherin"}, "forename-near-surname-dob"),
        ({"forename": "Cahterine"}, "forename-near-surname-dob"),
        ({"surname": "OBrian Smith"}, "forename-surname-near-dob"),
        ({"surname": "Smith"}, "forename-surname-part-dob"),
        ({"forename": "Kathryn", "surname": "O'Bryan-Smyth"}, "sounds-dob"),
        ({"forename": "OBrien Smith", "surname": "Catherine"}, "swapped-dob"),
        ({"surname": "Jones"}, "forename-dob-postcode"),
        ({"surname": "Jones", "postcode": "M1 1AE", "address": "1 Low Road"}, "nino-dob-initial"),
        ({"date_of_birth": "1984-05-11"}, "forename-surname-dob-near"),
        ({"nino": "AB123465C"}, "nino-near-dob-forename"),
    ],
)
def test_each_usual_change_leaves_a_match_key_that_still_agrees(changes, match_key):
    assert match_key in agreeing(tokens(), tokens(**changes))


def test_day_and_month_exchanged_still_agree_and_a_generation_between_them_does_not():
    one = {"date_of_birth": "1984-05-07"}
    assert "forename-surname-dob-near" in agreeing(tokens(**one), tokens(date_of_birth="1984-07-05"))
    assert "forename-surname-dob-near" not in agreeing(tokens(**one), tokens(date_of_birth="1954-05-07"))


def test_a_missing_part_makes_no_token_and_two_missing_parts_do_not_agree():
    bare = tokens(nino=None, postcode=None)
    held = set(bare["match_key"].cast(pl.String))
    assert not any("nino" in name or "postcode" in name for name in held)
    nobody = tokens(**dict.fromkeys(ANN))
    assert nobody.is_empty()


def test_short_names_have_no_neighbours():
    assert "forename-near-surname-dob" not in agreeing(tokens(forename="Mia"), tokens(forename="Tia"))


def test_a_frame_that_is_not_standardised_is_refused():
    with pytest.raises(Misuse, match="not a standardised frame"):
        tokenise(pl.DataFrame({"record_id": ["1"], "forename": ["Ann"]}), KEY, "compound")
    with pytest.raises(Misuse, match="compound or field"):
        tokens("other")


def test_nobody_at_all_gives_an_empty_frame_of_the_same_shape():
    empty = standardise(pl.DataFrame(schema={"record_id": pl.String}))
    assert tokenise(empty, KEY, "compound").schema == tokens().schema


CROWD = standardise(
    pl.DataFrame(
        {
            "record_id": [str(n) for n in range(300)],
            "forename": [["Bill", "Siân", "Aaron", "Jo", None][n % 5] for n in range(300)],
            "surname": [["Lloyd", "O'Brien-Smith", "Ng", None][n % 4] for n in range(300)],
            "date_of_birth": [
                None if n % 7 == 0 else f"{1950 + n % 50}-{1 + n % 12:02}-{1 + n % 28:02}" for n in range(300)
            ],
            "gender": [["F", "M", None][n % 3] for n in range(300)],
            "address": [f"{n} High Street" if n % 2 else None for n in range(300)],
            "postcode": [["SE11 4AB", "M1 1AE", None][n % 3] for n in range(300)],
            "nino": [f"AB{100000 + n * 997:06}C" if n % 4 else None for n in range(300)],
        }
    )
)


@pytest.mark.parametrize(("kind", "rows"), [("compound", 1), ("compound", 1000), ("field", 16)])
def test_made_in_parts_the_tokens_are_the_same_and_in_the_order_of_the_people(kind, rows):
    people = CROWD.head(20)
    made = list(tokenise_parts(people, KEY, kind, rows=rows))
    assert len(made) == -(-people.height // rows)
    whole = tokenise(people, KEY, kind)
    columns = ["record_id", "match_key", "person_token"]
    assert pl.concat(made).sort(columns).equals(whole.sort(columns))
    first = [part["record_id"].cast(pl.Int64).min() for part in made if not part.is_empty()]
    assert first == sorted(first)


def test_no_person_has_a_token_twice():
    for kind in ("compound", "field"):
        assert not tokenise(CROWD, KEY, kind).is_duplicated().any()


def test_some_match_keys_can_be_made_alone():
    """A first stage needs a few cheap ones only."""
    wanted = ["forename-surname-dob", "nino-dob-initial"]
    alone = tokenise(CROWD, KEY, "compound", wanted)
    whole = tokenise(CROWD, KEY, "compound").filter(pl.col("match_key").is_in(wanted))
    assert alone.sort(alone.columns).equals(whole.sort(whole.columns))
    assert tokenise(CROWD, KEY, "compound", []).is_empty()
    with pytest.raises(Misuse, match="no compound match-key of this version: field-dob-exact"):
        tokenise(CROWD, KEY, "compound", ["field-dob-exact"])


def test_a_very_long_name_has_as_many_neighbours_as_a_long_one():
    near = "forename-near-surname-dob"
    counts = [(tokens(forename=name)["match_key"] == near).sum() for name in ("Abcdefghijklmnopqrst", "Ab" * 500_000)]
    assert counts == [17, 17]
