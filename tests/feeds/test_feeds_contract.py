"""Contracts as policy files: what they pin, and how a mistake in one is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from linkage.errors import Misuse
from linkage.feeds import loading
from linkage.feeds.receipt import FEEDS
from linkage.policy.mistakes import PolicyMistake

PERSON = ["person_ref", "forename", "surname", "date_of_birth", "gender", "address", "postcode", "uprn", "nino"]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A copy of the contracts that a test may spoil."""
    return Path(shutil.copytree(loading.folder(), tmp_path / "feeds"))


def spoil(policy: Path, feed: str, old: str, new: str) -> int:
    """Replace `old` in a contract; return the line the new text starts on."""
    path = policy / f"{feed}.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def test_every_feed_of_the_privacy_notice_has_one_contract() -> None:
    """N1."""
    assert loading.feed_names() == sorted(FEEDS)


def test_every_column_says_why_it_is_kept_or_dropped() -> None:
    """N3."""
    for feed in FEEDS:
        assert all(len(column.why) >= 10 for column in loading.load(feed).columns), feed


def test_all_feeds_but_the_census_carry_the_same_person_columns() -> None:
    for feed in set(FEEDS) - {"children_services"}:
        assert loading.load(feed).names[: len(PERSON)] == PERSON


def test_names_of_professionals_and_single_feed_numbers_are_not_kept() -> None:
    """N3."""
    assert "key_worker" in loading.load("case_management").dropped
    # The service that referred stays, so that a family can challenge what it said; its professional is not asked for.
    assert "referrer" in [one.name for one in loading.load("referrals").kept]
    assert "nhs_number" in loading.load("health").dropped
    assert "ChildCharacteristics" in loading.load("children_services").dropped


def test_an_unknown_feed_is_a_misuse_that_lists_the_feeds() -> None:
    """N1."""
    with pytest.raises(Misuse, match="case_management"):
        loading.load("gas_bills")


def test_a_change_of_meaning_changes_the_digest_and_a_comment_does_not(policy: Path) -> None:
    before = loading.digest("police", policy)
    spoil(policy, "police", "# Crime", "# Still crime")
    loading._load.cache_clear()
    assert loading.digest("police", policy) == before
    spoil(policy, "police", '"pending"', '"pending", "appealed"')
    loading._load.cache_clear()
    assert loading.digest("police", policy) != before


@pytest.mark.parametrize(
    ("feed", "old", "new", "says"),
    [
        ("police", 'kind = "code"', 'kind = "cod"', "kind"),
        ("police", "required = true", 'required = "yes"', "required"),
        ("police", 'codes = ["crime", "asb", "domestic_abuse"]', "", "needs its codes"),
        ("housing", "min = 0", "minimum = 0", "minimum"),
        ("schools", 'pattern = "20[0-9]{2}', 'pattern = "20\\\\d{2}', "not a backslash class"),
        ("schools", 'pattern = "20[0-9]{2}-(', 'pattern = "20[0-9]{2}-((', "not a regular expression"),
        ("schools", 'other = "sessions_possible"', 'other = "sessions"', "no such column: sessions"),
        ("schools", 'reason = "no_possible_session"', 'reason = "no_session"', "no such reason code"),
        ("schools", "value = 1", "", "needs 'value'"),
        ("police", 'feed = "police"', 'feed = "polite"', "must equal the file's name"),
        ("police", 'include = ["person"]', 'include = ["persons"]', "there is no shared/persons.toml"),
        ("police", 'name = "outcome_on"', 'name = "outcome"', "defined twice"),
        ("children_services", '"0" = "U", ', "", "must map every code"),
        ("children_services", 'blank_when = "referral_nfa"', 'blank_when = "nfa"', "no such column"),
        ("case_management", "postcode = 0.5", "postcodes = 0.5", "no such column"),
    ],
)
def test_a_mistake_in_a_contract_names_file_line_and_key(
    policy: Path, feed: str, old: str, new: str, says: str
) -> None:
    spoil(policy, feed, old, new)
    with pytest.raises(PolicyMistake, match=rf"{feed}.toml, line \d+: ") as caught:
        loading.load(feed, policy)
    assert says in str(caught.value)


def test_the_line_named_is_the_line_of_the_mistake(policy: Path) -> None:
    line = spoil(policy, "housing", "min = 0", "min = -1.5")
    with pytest.raises(PolicyMistake, match=f"line {line}: columns"):
        loading.load("housing", policy)


def test_a_file_that_is_not_toml_names_the_line(policy: Path) -> None:
    spoil(policy, "health", "version = 1", "version = = 1")
    with pytest.raises(PolicyMistake, match="health.toml: not TOML: .*line 3"):
        loading.load("health", policy)
