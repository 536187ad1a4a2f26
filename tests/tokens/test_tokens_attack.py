"""An attacker with a token file, public name counts and no key: how many people are named (docs/threat-model.md)."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from linkage.identifiers.standardise import standardise
from linkage.sandbox.population import make_population
from linkage.tokens.attack import Attack, Known, attack
from linkage.tokens.audit import audit, budget_for
from linkage.tokens.keys import LinkageKey
from linkage.tokens.leaving import audit_of, leaving
from linkage.tokens.rules import Kind
from linkage.tokens.tokenise import tokenise

KEY = LinkageKey(bytes.fromhex("9f1c7ae3550b42d86e01fb37c499a85d13e6f02a7b84cd5921b0e86f34dda971"))


def borough(families: int, seed: int = 11) -> pl.DataFrame:
    people = make_population(seed, families, date(2022, 10, 3)).people
    return standardise(people.rename({"person_id": "record_id"}))


@pytest.fixture(scope="module")
def town() -> pl.DataFrame:
    return borough(600)


def _left(people: pl.DataFrame, kind: Kind) -> Attack:
    measuring = audit_of(people, kind)
    for tokens in leaving(people, KEY, kind):
        measuring.take(tokens)
    tried = measuring.report().attack
    assert tried is not None
    return tried


def test_common_names_are_read_off_the_ranks_of_field_tokens():
    """Surname tokens in the order of how many people hold them are surnames in the order of a public list."""
    sizes = {"Smith": 90, "Jones": 60, "Patel": 35, "Ng": 18, "Oyelaran": 7}
    names = pl.DataFrame(
        {
            "record_id": [str(n) for n in range(sum(sizes.values()))],
            "forename": "Ann",
            "surname": [name for name, size in sizes.items() for _ in range(size)],
        }
    )
    tokens = names.select(
        "record_id",
        match_key=pl.lit("field-surname-exact"),
        person_token=pl.col("surname").hash(1).cast(pl.String).str.zfill(20).str.head(16).cast(pl.Binary),
    )
    listed = tokens.with_columns(
        person_token=pl.col("person_token").bin.encode("hex").str.reverse().str.head(16).cast(pl.Binary)
    )
    told = attack(tokens, names, Known(listed, names))
    assert told.by_key == {"field-surname-exact": 1.0}
    assert told.chance == pytest.approx(90 / 210)


def test_the_number_of_a_names_neighbours_gives_names_away_and_the_fill_hides_it(town):
    """Without the fill, an attacker who knows how names are made into tokens does better than by chance."""
    filled = _left(town, "compound")
    bare = audit(tokenise(town, KEY, "compound"), budget_for("compound"), town).attack
    assert bare.named_share - bare.chance > 2 * (filled.named_share - filled.chance)
    assert bare.named_share - bare.chance > 0.004
    assert filled.named_share - filled.chance < 0.002


def test_an_attack_on_nobody_or_with_nothing_names_nobody(town):
    some = town.head(20)
    tokens = tokenise(some, KEY, "compound")
    names = some.select("record_id", "forename", "surname")
    assert attack(tokens.clear(), names, Known(tokens, names)).named_share == 0
    assert attack(tokens, names, Known(tokens.clear(), names.clear())).named_share == 0


@pytest.mark.slow
def test_of_fifty_thousand_people_fewer_than_one_in_a_thousand_is_named_from_compound_tokens():
    """N3. Both halves of 54,000 people: one known by name with all its tokens, the other attacked.

    Counted is what the tokens add: the commonest name alone is that of nearly one person in a thousand.
    """
    city = borough(15_000)
    assert city.height >= 50_000
    told = _left(city, "compound")
    assert told.people > 25_000
    assert told.named_share - told.chance < 0.001
    assert max(told.by_key.values()) - told.chance < 0.001


@pytest.mark.slow
def test_field_tokens_give_away_far_more_than_compound_ones():
    """Why only a department that may know the names anyway is given them."""
    people = borough(4_000)
    compound, field = (_left(people, kind) for kind in ("compound", "field"))
    assert field.named_share - field.chance > 3 * (compound.named_share - compound.chance)
    assert field.named_share > 0.005
