"""The leakage audit measures what a token file gives away, and blocks it over budget (N3)."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.errors import FlowRefused
from linkage.identifiers.standardise import standardise
from linkage.tokens.audit import Audit, LeakageBudget, audit, budget_for, drop_over_frequent
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

TIGHT = LeakageBudget(highest_people=5, shared_share=0.05, named_share=0.01, few_people=3)


def shaped(**frequencies: list[int]) -> pl.DataFrame:
    """Tokens of which each of the given numbers of people share one."""
    rows = []
    for match_key, counts in frequencies.items():
        person = 0
        for token, count in enumerate(counts):
            rows += [(str(person + place), match_key, token.to_bytes(16, "big")) for place in range(count)]
            person += count
    return pl.DataFrame(rows, schema=["record_id", "match_key", "person_token"], orient="row")


def test_the_report_counts_people_behind_tokens():
    (key,) = audit(shaped(a=[1] * 6 + [2, 2]), TIGHT).keys
    assert (key.people, key.highest_people, key.shared_share, key.named_share) == (10, 2, 0.4, None)


def test_near_unique_tokens_are_within_budget():
    audit(shaped(a=[1] * 100), TIGHT).require_within_budget()


@pytest.mark.parametrize(
    ("counts", "measure"),
    [([1] * 100 + [6], "highest_people"), ([1] * 50 + [2] * 5, "shared_share"), ([1] * 2000 + [40], "highest_people")],
)
def test_over_budget_is_refused_naming_the_match_key_and_the_measure(counts, measure):
    report = audit(shaped(fine=[1] * 10, leaky=counts), TIGHT)
    with pytest.raises(FlowRefused, match=f"N3: match-key leaky .*{measure}"):
        report.require_within_budget()


def test_a_share_of_very_few_people_does_not_refuse():
    """One pair of twins among four people is half of them, and says nothing."""
    audit(shaped(a=[2, 1, 1]), TIGHT).require_within_budget()


def test_over_budget_names_every_match_key_that_is():
    with pytest.raises(FlowRefused, match="match-key first .*; so do second, third"):
        audit(shaped(first=[6], fine=[1], second=[7], third=[9]), TIGHT).require_within_budget()


def named(forenames: list[str], surnames: list[str]) -> pl.DataFrame:
    ids = [f"{place:08}" for place in range(len(forenames))]
    return pl.DataFrame({"record_id": ids, "forename": forenames, "surname": surnames})


def test_tokens_by_which_an_attacker_names_people_are_over_budget():
    """The commonest token is the commonest name: half of the people are known, the other half are named by rank."""
    sizes = [900, 500, 260, 120, *[1] * 20]
    names = named(*([f"{kind}{place}" for place, size in enumerate(sizes) for _ in range(size)] for kind in ("F", "S")))
    tokens = shaped(whole=sizes).with_columns(pl.col("record_id").str.zfill(8))
    generous = LeakageBudget(highest_people=10_000, shared_share=1.0, named_share=0.01, few_people=20)
    report = audit(tokens, generous, names)
    assert report.attack.named_share > 0.9
    assert report.attack.chance == pytest.approx(0.5, abs=0.1)
    with pytest.raises(FlowRefused, match="N3: match-key whole .*named_share"):
        report.require_within_budget()
    audit(tokens, generous).require_within_budget()


def test_tokens_that_say_nothing_about_names_are_within_budget_however_common_the_commonest_name():
    names = named(["Ann"] * 1500 + [f"F{n % 60}" for n in range(500)], ["Smith"] * 1500 + [f"S{n}" for n in range(500)])
    report = audit(shaped(a=[1] * 2000).with_columns(pl.col("record_id").str.zfill(8)), TIGHT, names)
    assert report.attack.named_share == report.attack.chance == pytest.approx(0.75, abs=0.05)
    report.require_within_budget()


def test_match_keys_audited_one_after_the_other_give_the_same_report():
    tokens = shaped(a=[3, 2, 1, 1], b=[1] * 5)
    names = named(["A", "B", "C", "D", "E", "F", "G"], ["S"] * 7).with_columns(
        pl.col("record_id").str.strip_chars_start("0").replace("", "0")
    )
    together, apart = audit(tokens, TIGHT, names), Audit(TIGHT, names)
    for one in ("a", "b"):
        apart.take(tokens.filter(pl.col("match_key") == one))
    assert apart.report() == together


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.integers(0, 9)), unique=True, max_size=60),
    st.integers(1, 5),
)
def test_dropping_leaves_exactly_the_tokens_that_few_enough_people_hold(rows, cap):
    schema = {"match_key": pl.String, "person_token": pl.Int64, "record_id": pl.Int64}
    tokens = pl.DataFrame(rows, schema=schema, orient="row").cast({"record_id": pl.String})
    tokens = tokens.with_columns(pl.col("person_token").cast(pl.String).cast(pl.Binary))
    held = Counter((key, token) for key, token, _ in rows)
    left = drop_over_frequent(tokens, cap)
    assert sorted(left.rows()) == sorted(
        (key, str(token).encode(), str(person)) for key, token, person in rows if held[key, token] <= cap
    )
    assert drop_over_frequent(left, cap).equals(left)


def test_surname_tokens_leak_more_than_compound_tokens_and_only_those_are_over_the_compound_budget():
    surnames = ["Smith"] * 60 + ["Jones"] * 30 + [f"Rare{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(110)]
    people = pl.DataFrame(
        {
            "record_id": [str(n) for n in range(200)],
            "forename": [f"Name{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(200)],
            "surname": surnames,
            "date_of_birth": [f"{1950 + n % 50}-{1 + n % 12:02}-{1 + n % 28:02}" for n in range(200)],
        }
    )
    key = LinkageKey.throwaway()
    compound, field = (tokenise(standardise(people), key, kind) for kind in ("compound", "field"))
    audit(compound, budget_for("compound")).require_within_budget()
    with pytest.raises(FlowRefused, match="N3"):
        audit(field, budget_for("compound")).require_within_budget()


def test_the_report_and_the_refusal_hold_no_token():
    tokens = shaped(leaky=[60])
    report = audit(tokens, TIGHT)
    assert bytes(16).hex() not in str(report.rows())
    assert report.rows()[0]["over"] == ["highest_people", "shared_share"]
