"""The leakage audit measures what a token file gives away, and blocks it over budget (N3)."""

from __future__ import annotations

import polars as pl
import pytest

from linkage.errors import FlowRefused
from linkage.identifiers.standardise import standardise
from linkage.tokens.audit import LeakageBudget, audit, budget_for, drop_over_frequent
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

TIGHT = LeakageBudget(highest_people=5, shared_share=0.05, attack_share=0.01, few_people=3)


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
    assert (key.people, key.highest_people, key.shared_share, key.attack_share) == (10, 2, 0.4, 0.0)


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


def test_a_frequency_that_stands_apart_can_be_placed_and_a_crowd_of_like_ones_cannot():
    apart = audit(shaped(a=[400, 100, 20, *[1] * 80]), TIGHT).keys[0]
    crowd = audit(shaped(a=[21, 20, 20, 19] * 7), TIGHT).keys[0]
    assert apart.attack_share > 0.8
    assert crowd.attack_share == 0


def test_dropping_common_tokens_leaves_the_rare_ones():
    left = drop_over_frequent(shaped(a=[30, 3, 1]), 5)
    assert len(left) == 4


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
