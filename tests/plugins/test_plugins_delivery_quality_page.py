"""What the page of delivery quality answers, to a reader past its guard: counts, reasons, courses, and no value (N3, N20)."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from linkage import clock
from linkage.custody.models import HoldingRow
from linkage.custody.register import Register
from linkage.errors import DependencyUnreachable
from linkage.feeds import quality
from linkage.feeds.check import CheckedDelivery, check_delivery
from linkage.feeds.drift import Previous
from linkage.feeds.reasons import sentence

pytestmark = pytest.mark.airflow

CORPUS = Path(__file__).resolve().parents[1] / "feeds" / "corpus"
ADDRESSES = ("/", "/feeds/police", "/feeds/children_services", "/deliveries.csv", "/deliveries.csv?feed=police")
DAY = date(2022, 10, 3)


def check(name: str, feed: str, previous: Previous | None = None) -> CheckedDelivery:
    content = (CORPUS / f"{name}.csv").read_bytes()
    return check_delivery(feed, name, content, None, DAY, gx=False, manifest_required=False, previous=previous)


def note(number: int, checked: CheckedDelivery, previous_rows: int | None = None) -> None:
    outcome = "refused" if checked.refused else "held" if checked.held else "accepted"
    quality.record(checked, outcome, f"hld_{number:032x}", previous_rows)


def hold(number: int, reason: str, label: str = "police_2022-10-03") -> None:
    """A held delivery as the register knows it."""
    now = clock.now()
    with Register.open().transaction() as session:
        session.add(
            HoldingRow(
                id=f"hld_{number:032x}",
                store="authority",
                holder="authority",
                dataset_class="quarantine",
                programme="troubled_families_2015_2020",
                natural_key=f"police:{number}",
                label=f"{label} {reason}",
                received_at=now,
                target=now + timedelta(days=28),
                legal=now + timedelta(days=28),
                rule="raw_28_days",
                reclassified=False,
                bucket="b",
                prefix="p",
                state="held",
                created_at=now,
            )
        )


def test_before_any_delivery_every_feed_says_so(quality_client) -> None:
    page = quality_client.get("/").text
    assert page.count("Nothing delivered") == 9
    assert "No delivery waits for a person" in page
    assert "Nothing has been delivered yet." in quality_client.get("/feeds/police").text


def test_a_feed_tells_rows_reasons_with_their_sentences_and_what_helps(quality_client) -> None:
    note(1, check("the-header-again-in-the-middle", "police"), 3)
    page = quality_client.get("/feeds/police").text
    assert "3 delivered, 2 accepted, 1 set aside; 0.67 times the rows of the delivery before" in page
    assert "bad date" in page
    assert sentence("bad_date") in page
    assert "Accepted, rows set aside" in page
    assert "Accepted, rows set aside" in quality_client.get("/").text


def test_a_refused_file_says_why_and_what_stays_in_force(quality_client) -> None:
    note(1, check("two-tenants-of-one-flat", "housing"))
    note(2, check("a-comment-at-the-top", "police"))
    page = quality_client.get("/feeds/police").text
    assert "Refused" in page
    assert 'At <span class="mono">column 1</span>' in page


def test_a_held_delivery_names_who_must_act_and_how(quality_client) -> None:
    note(7, check("a-tenth-of-last-time", "police", Previous(100)), 100)
    hold(7, "volume_drift")
    for address in ("/", "/feeds/police"):
        page = quality_client.get(address).text
        assert "1 delivery waits for a person" in page
        assert f"linkage feeds confirm hld_{7:032x} --by NAME" in page
        assert "Waits for a person; kept until 31 Oct 2022" in page
    assert "waits for a person</h2>" not in quality_client.get("/feeds/health").text


def test_drift_is_shown_beside_its_limit(quality_client) -> None:
    before = Previous(200, {"record_type": {"crime": 1.0}, "outcome": {"proven": 1.0}})
    note(1, check("every-record-became-anti-social-behaviour", "police", before), 200)
    page = quality_client.get("/feeds/police").text
    row = re.search(r"<tr>(?:(?!</tr>).)*record_type.*?</tr>", page[page.index("mix-caption") :], re.DOTALL)
    assert row
    assert "100.0%" in row.group()
    assert "beyond" in row.group()
    assert "at most 30%" in row.group()
    assert "Held when" not in page
    assert "the codes of a column moved by more than 30%" in page


def test_what_is_dropped_is_listed_with_the_reason(quality_client) -> None:
    """N3: for the census the elements that are read past as well."""
    assert "no other feed carries it, so it links nothing" in quality_client.get("/feeds/health").text
    page = quality_client.get("/feeds/children_services").text
    assert "ChildCharacteristics" in page
    assert "special category data the criteria do not use" in page


def test_deliveries_are_turned_page_by_page_latest_first(quality_client) -> None:
    sound = check("two-tenants-of-one-flat", "housing")
    for number in range(60):
        note(number, sound, 2)
    first = quality_client.get("/feeds/housing").text
    assert "60 deliveries, page 1 of 3" in first
    assert first.count('<tr><th scope="row" class="date">') == 25
    last = quality_client.get("/feeds/housing?page=99").text
    assert "page 3 of 3" in last
    assert "Next page" not in last
    assert first.count('<rect class="accepted"') == 24, "the course shows the last two dozen"


def test_the_picture_is_told_in_words_too(quality_client) -> None:
    note(1, check("two-tenants-of-one-flat", "housing"))
    note(2, check("arrears-in-pounds", "housing"))
    [told] = re.findall(r'<svg[^>]*role="img" aria-label="([^"]+)"', quality_client.get("/feeds/housing").text)
    assert re.fullmatch(r"housing: the last 2 deliveries: \d+ to \d+ rows accepted, 0 held or refused", told)


def test_a_spreadsheet_has_a_line_for_each_delivery(quality_client) -> None:
    note(1, check("the-header-again-in-the-middle", "police"), 3)
    note(2, check("two-tenants-of-one-flat", "housing"))
    answer = quality_client.get("/deliveries.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="deliveries-all-2022-10-03.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["feed"] for row in rows] == ["police", "housing"]
    assert "date_of_birth bad_date 1" in rows[0]["faults"]
    only = quality_client.get("/deliveries.csv?feed=housing")
    assert len(list(csv.DictReader(io.StringIO(only.text)))) == 1


def test_no_value_of_any_delivery_stands_on_any_page(quality_client) -> None:
    """N11: over every bad CSV of the corpus."""
    for number, path in enumerate(sorted(CORPUS.glob("*.csv"))):
        feed = path.with_suffix(".expected.json").read_text().split('"feed": "')[1].split('"')[0]
        if feed != "children_services":
            note(number, check(path.stem, feed))
    for address in (*ADDRESSES, "/feeds/housing", "/feeds/health", "/feeds/schools"):
        text = quality_client.get(address).text
        for value in ("Ada", "SampleA", "Test Street", "SE1 7PB", "1985-06-15", "QQ123456C", "01/05/2022", "X-000"):
            assert value not in text, (address, value)


def test_every_answer_forbids_scripts_foreign_frames_and_caches(quality_client) -> None:
    note(1, check("the-header-again-in-the-middle", "police"))
    for address in (*ADDRESSES, "/nothing", "/feeds/police?page=x", "/feeds/nobody"):
        answer = quality_client.get(address)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "style=" not in answer.text
        assert "<script" not in answer.text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/feeds/smith", 404),
        ("/deliveries.csv?feed=smith", 404),
        ("/feeds/Smith", 400),
        ("/feeds/police?page=Smith", 400),
    ],
)
def test_what_was_typed_wrongly_is_not_repeated(quality_client, address: str, status: int) -> None:
    answer = quality_client.get(address)
    assert answer.status_code == status
    assert "smith" not in answer.text.lower()


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_the_register_there_is_a_sentence_and_no_trace(quality_client, monkeypatch, address: str) -> None:
    def down(*_anything) -> None:
        raise DependencyUnreachable("the register cannot be reached; nothing was lost, run again")

    monkeypatch.setattr(Register, "open", down)
    answer = quality_client.get(address)
    assert answer.status_code == 503
    assert "Traceback" not in answer.text


def test_headings_go_down_one_step_at_a_time_and_tables_are_named(quality_client) -> None:
    note(1, check("the-header-again-in-the-middle", "police"))
    for address in ("/", "/feeds/police", "/feeds/health"):
        page = quality_client.get(address).text
        steps = [int(level) for level in re.findall(r"<h([1-6])", page)]
        assert steps[0] == 1
        assert steps.count(1) == 1
        assert all(after <= before + 1 for before, after in zip(steps, steps[1:], strict=False))
        assert len(re.findall("<table", page)) == len(re.findall("<caption", page))
        assert not re.search(r"<th(?![^>]*scope=)[ >]", page)


def test_every_link_stays_on_the_page(quality_client) -> None:
    note(1, check("the-header-again-in-the-middle", "police"))
    for address in ("/", "/feeds/police"):
        links = re.findall(r'(?:href|action)="([^"]+)"', quality_client.get(address).text)
        assert {link for link in links if not link.startswith(("/delivery-quality/", "#main"))} == set()
