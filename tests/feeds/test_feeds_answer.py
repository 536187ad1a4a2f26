"""What a partner is told of its last delivery: every fault by row and column, and no value."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest

from linkage.errors import Misuse
from linkage.feeds import answer
from linkage.feeds.check import CheckedDelivery, check_delivery

CORPUS = Path(__file__).parent / "corpus"


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINKAGE_OUTBOX_DIR", str(tmp_path / "outbox"))
    return tmp_path / "outbox"


def checked(name: str, feed: str, suffix: str = "csv") -> CheckedDelivery:
    content = (CORPUS / f"{name}.{suffix}").read_bytes()
    return check_delivery(feed, name, content, None, date(2022, 10, 3), gx=False, manifest_required=False)


def lines(delivery: CheckedDelivery) -> list[dict[str, str]]:
    """The answer as its partner finds it."""
    assert answer.leave(delivery)
    return list(csv.DictReader(io.StringIO(answer.left(delivery.feed) or "")))


def test_every_fault_of_every_row_is_told_with_what_to_do() -> None:
    told = lines(checked("the-header-again-in-the-middle", "police"))
    assert {one["row"] for one in told} == {"2"}
    assert ("date_of_birth", "bad_date") in {(one["column"], one["reason"]) for one in told}
    assert all(one["what_to_do"].endswith(".") for one in told)


def test_a_refused_file_is_told_in_one_line_with_the_place() -> None:
    told = lines(checked("a-comment-at-the-top", "police"))
    assert [(one["row"], one["column"], one["reason"]) for one in told] == [("", "column 1", "unknown_column")]


def test_identifiers_that_cannot_be_real_are_counted() -> None:
    told = lines(checked("a-housing-nino-with-a-q", "housing"))
    assert [(one["row"], one["reason"]) for one in told] == [("1 rows", "nino_invalid")]


def test_the_next_sound_delivery_clears_the_answer(outbox: Path) -> None:
    answer.leave(checked("arrears-in-pounds", "housing"))
    assert (outbox / "housing" / "errors.csv").exists()
    assert not answer.leave(checked("two-tenants-of-one-flat", "housing"))
    assert answer.left("housing") is None
    assert list((outbox / "housing").iterdir()) == []


@pytest.mark.large
def test_no_answer_holds_a_value_of_the_delivery() -> None:
    """N11: over the whole corpus."""
    values = ("Ada", "Sample", "Test Street", "SE1 7PB", "1985-06-15", "QQ123456C", "01/05/2022")
    for path in sorted(CORPUS.glob("*.csv")):
        feed = path.with_suffix(".expected.json").read_text().split('"feed": "')[1].split('"')[0]
        if feed != "children_services":
            told = answer.content(checked(path.stem, feed))
            assert not [value for value in values if value in told], path.name


def test_an_unknown_feed_has_no_outbox() -> None:
    with pytest.raises(Misuse):
        answer.left("../../etc")
