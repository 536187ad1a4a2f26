"""What is generated from the contracts is up to date; run `linkage feeds refresh` when this fails."""

from __future__ import annotations

import pytest

from linkage.clock import today
from linkage.feeds import document, loading
from linkage.feeds.contract import Contract
from linkage.feeds.expectations import between_expectations, committed, row_expectations, suite_json
from linkage.feeds.masks import between_masks, row_masks
from linkage.feeds.reasons import REASONS
from linkage.feeds.receipt import FEEDS

CONTRACTS = [loading.load(feed) for feed in FEEDS]


def test_the_page_for_partners_says_what_the_contracts_say() -> None:
    assert document.DOCUMENT.read_text(encoding="utf-8") == document.render()


@pytest.mark.parametrize("feed", FEEDS)
def test_the_committed_suite_is_the_one_that_runs(feed: str) -> None:
    assert committed(feed).read_text(encoding="utf-8") == suite_json(feed)


def test_no_suite_or_page_is_left_over_from_a_feed_that_is_gone() -> None:
    assert sorted(path.stem for path in committed("x").parent.glob("*.json")) == sorted(FEEDS)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda one: one.feed)
def test_both_engines_look_for_the_same_faults_in_the_same_places(contract: Contract) -> None:
    alone = [(mask.column, mask.reason) for mask in row_masks(contract, today())]
    together = [(mask.column, mask.reason) for mask in between_masks(contract)]
    assert [(one.column, one.reason) for one in row_expectations(contract)] == alone
    assert [(one.column, one.reason) for one in between_expectations(contract)] == together
    assert {reason for _, reason in alone + together} <= set(REASONS)


def test_every_reason_is_one_plain_sentence_with_a_way_forward() -> None:
    for reason in REASONS.values():
        assert reason.sentence.endswith("."), reason.code
        assert len(reason.sentence) > 30, reason.code
