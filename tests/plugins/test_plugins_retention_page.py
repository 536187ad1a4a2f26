"""What the Retention page answers, to a reader past its guard: pages, problems, files, headers (N20, D9, D12, D13)."""

from __future__ import annotations

import logging
import re
from datetime import timedelta

import pytest

from linkage import clock
from linkage.custody.models import HoldingRow
from linkage.custody.register import Register
from linkage.errors import DependencyUnreachable

pytestmark = pytest.mark.airflow

HELD = f"hld_{1:032x}"
ADDRESSES = ("/", "/?state=destroyed", "/holdings.json", "/holdings.csv", f"/holdings/{HELD}", "/certificates/crt_1")


def hold(number: int = 1, **told) -> None:
    now = clock.now()
    given = {"label": f"feed {number}", "holder": "authority", "dataset_class": "delivery", "state": "held"} | told
    with Register.open().transaction() as session:
        session.add(
            HoldingRow(
                id=f"hld_{number:032x}",
                store=given["holder"],
                programme="troubled_families_2015_2020",
                natural_key=str(number),
                received_at=now,
                target=now + timedelta(days=3),
                legal=now + timedelta(days=3),
                rule="raw_28_days",
                bucket="b",
                prefix="p",
                created_at=now,
                **given,
            )
        )


def test_an_empty_register_says_so(client) -> None:
    page = client.get("/").text
    assert "Nothing has ever been registered here." in page
    assert "No sweep has reported yet." in page


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("overdue", "None. That is how it should be."),
        ("unverified", "None: every destruction was verified and certified."),
        ("due", "None: the next sweep will have nothing to destroy."),
        ("destroyed", "None."),
    ],
)
def test_an_empty_list_says_what_that_means(client, state: str, said: str) -> None:
    hold()
    assert said in client.get("/", params={"state": state}).text


def test_what_is_written_in_the_register_is_text_and_never_markup(client) -> None:
    hold(label="<script>alert(1)</script>")
    for address in ("/", f"/holdings/{HELD}"):
        page = client.get(address).text
        assert "<script" not in page
        assert "&lt;script&gt;" in page


def test_every_answer_forbids_scripts_foreign_frames_and_caches(client, plugin) -> None:
    """N11: errors too."""
    hold()
    for address in (*ADDRESSES, "/nothing", "/?state=gone", "/?page=x"):
        headers = client.get(address).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_the_style_on_the_page_is_the_one_its_policy_allows(client) -> None:
    import base64
    import hashlib

    answer = client.get("/")
    [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in answer.headers["content-security-policy"]
    assert "style=" not in answer.text


def test_every_link_stays_on_the_page(client) -> None:
    for number in range(1, 61):
        hold(number)
    links = re.findall(r'(?:href|action)="([^"]+)"', client.get("/?search=hld_&page=1&state=held").text)
    assert len(links) > 60
    assert {link for link in links if not link.startswith(("/retention/", "#main"))} == set()
    assert any("page=2" in link and "search=hld_" in link for link in links)


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_the_register_there_is_a_sentence_and_no_trace(client, monkeypatch, address: str) -> None:
    """D7: nothing is lost when the database is down, and the page says so: 503."""

    def down(*_anything) -> None:
        raise DependencyUnreachable("the register cannot be reached; nothing was lost, run again")

    monkeypatch.setattr(Register, "open", down)
    answer = client.get(address)
    assert answer.status_code == 503
    assert "The register cannot be reached. Nothing was lost; try again in a few minutes." in answer.text
    assert "Traceback" not in answer.text


def test_a_real_database_that_is_gone_is_a_sentence_too(client, monkeypatch) -> None:
    monkeypatch.setenv("LINKAGE_REGISTER_URL", "postgresql+psycopg2://nobody:secret@127.0.0.1:9/nothing")
    answer = client.get("/")
    assert answer.status_code == 503
    assert "secret" not in answer.text


def test_a_fault_of_ours_is_a_sentence_and_the_log_holds_no_value(client, monkeypatch, caplog) -> None:
    """N11"""

    def broken(*_anything) -> None:
        raise RuntimeError("Smith, QQ123456C")

    monkeypatch.setattr(Register, "open", broken)
    with caplog.at_level(logging.ERROR):
        answer = client.get("/")
    assert answer.status_code == 500
    assert "Something is wrong with this page." in answer.text
    assert "RuntimeError" in caplog.text
    assert "Smith" not in answer.text + caplog.text


@pytest.mark.parametrize(
    "address",
    [
        "/?state=Smith",
        "/?page=Smith",
        "/?page=0",
        "/?search=Smith",
        "/?holder=Smith",
        "/?class=Sm/ith",
        "/holdings/Smith",
    ],
)
def test_what_was_typed_wrongly_is_not_repeated(client, address: str) -> None:
    """N11: neither to people nor to programs."""
    for accept in ("text/html", "application/json"):
        answer = client.get(address, headers={"Accept": accept})
        assert answer.status_code == 400
        assert "smith" not in answer.text.lower()


@pytest.mark.parametrize("address", [f"/holdings/hld_{7:032x}", "/certificates/crt_7", "/certificates/crt_7.json"])
def test_an_unknown_number_is_not_found(client, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 404
    assert "with that number" in answer.text


def test_programs_get_problems_as_json(client) -> None:
    answer = client.get("/nothing", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()) == (404, {"detail": "There is no such page."})


def test_a_spreadsheet_is_a_file_named_by_state_and_day(client) -> None:
    hold()
    answer = client.get("/holdings.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="retention-held-2022-10-03.csv"'
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert [line.split(",")[0] for line in answer.text.splitlines()] == ["holding", HELD]


def test_a_head_request_reads_nothing_out(client) -> None:
    hold()
    for address in ADDRESSES[:5]:
        answer = client.head(address)
        assert (answer.status_code, answer.text) == (200, "")


def test_headings_go_down_one_step_at_a_time_and_tables_are_named(client) -> None:
    hold()
    for address in ("/", f"/holdings/{HELD}"):
        page = client.get(address).text
        steps = [int(level) for level in re.findall(r"<h([1-6])", page)]
        assert steps[0] == 1
        assert steps.count(1) == 1
        assert all(after <= before + 1 for before, after in zip(steps, steps[1:], strict=False))
        assert len(re.findall("<table", page)) == len(re.findall("<caption", page))
        assert not re.search(r"<th(?![^>]*scope=)[ >]", page)
        assert '<html lang="en-GB">' in page
