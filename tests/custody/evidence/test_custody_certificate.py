"""Certificates of destruction: all that D9 asks for, checkable by a stranger, readable by anybody (D9, D10, D11)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import date, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from linkage import clock
from linkage.custody import keys
from linkage.custody.destruction import chain as destruction
from linkage.custody.evidence import certificate, certificate_check, certificate_page, ledger
from linkage.errors import CheckFailed

LATER = clock.at(date(2022, 11, 1), 12)

# What D9 asks for, in its own order and words, and where it stands.
D9: dict[str, Callable[[dict[str, Any]], Any]] = {
    "holding id": lambda told: told["holding"].startswith("hld_"),
    "controller": lambda told: told["controller"] == "Ministry of Housing, Communities and Local Government",
    "duty": lambda told: (told["duty"]["rule"], told["duty"]["reason"]) == ("raw_28_days", "its deadline"),
    "deadline": lambda told: told["duty"]["legal"].startswith("2022-10-31T09:00"),
    "locations": lambda told: told["location"]["bucket"] == "authority-vault",
    "copies": lambda told: [one["place"] for one in told["location"]["copies"]] == told["verification"]["places"],
    "counts": lambda told: told["removed"] == {"versions": 1, "markers": 0, "uploads": 0},
    "method": lambda told: "cryptographic erase" in told["method"],
    "standard": lambda told: "NIST SP 800-88r2" in told["method"],
    "key ids destroyed": lambda told: (told["key"]["id"], told["key"]["state"]) == ("authority.20221031", "destroyed"),
    "tool version": lambda told: told["tool"].startswith("linkage 0."),
    "operator": lambda told: told["operator"] == "the sweep",
    "authoriser": lambda told: told["authoriser"] == "policy troubled_families_2015_2020, rule raw_28_days",
    "start": lambda told: told["began"] >= told["duty"]["received_at"],
    "end": lambda told: told["ended"] >= told["began"],
    "verifier's result": lambda told: (
        (told["copies_left"], told["verification"]["verifier"]) == (0, "verifier-authority")
    ),
    "exceptions": lambda told: isinstance(told["exceptions"], list),
    "ledger proof": lambda told: set(told["ledger"]) == {"leaf", "index", "path", "checkpoint"},
}


def issued(house, horizon=LATER, **more) -> str:
    """The signed document of something destroyed just now."""
    held = house.put(label="police 2022-10-03", **more)
    return destruction.destroy(held.id, "its deadline", horizon, "the sweep").document


def test_every_field_that_is_asked_for_is_there(doubled_house) -> None:
    """D9, field by field."""
    told = certificate.read(issued(doubled_house))
    assert [asked for asked, stands in D9.items() if not stands(told)] == []


def test_a_simulated_clock_is_told_and_a_snapshot_that_held_the_key_is_named(doubled_house) -> None:
    """D7, D15: who took it, and that it still exists is an exception."""
    now = clock.now()
    facts = {"snapshot": "snp_1", "by": "an operator", "sha256": "00", "keys": ["authority.20221031"]}
    times = {"taken_at": now.isoformat(), "expires_at": (now + timedelta(days=7)).isoformat()}
    ledger.record("key_snapshot", {**facts, **times})
    told = certificate.read(issued(doubled_house))
    assert told["simulated_clock"] is True
    assert [one.split(",")[0] for one in told["key"]["snapshots"]] == ["snp_1"]
    assert any("snapshot of the key service" in one and "still exists" in one for one in told["exceptions"])


def test_a_stranger_with_two_public_keys_checks_it(house) -> None:
    """D9, D11: signature, ledger proof, and that the entry proved is of this destruction."""
    document = issued(house)
    verifier = keys.service("authority").public_key("sign-verifier-authority")
    verdict = certificate_check.verify(document, verifier, ledger.public_key())
    assert verdict.ok
    assert [check.name for check in verdict.checks] == ["signature", "ledger_proof", "ledger_entry"]
    for public, witness, fails in ((bytes(32), None, "signature"), (None, bytes(32), "ledger_proof")):
        other = certificate_check.verify(document, public, witness)
        assert [check.name for check in other.checks if not check.holds] == [fails]


@pytest.mark.parametrize(
    "alter",
    [
        lambda told: told | {"copies_left": 1},
        lambda told: told | {"holding": "hld_" + "0" * 32},
        lambda told: told | {"store": "dwp"},
        lambda told: told | {"duty": told["duty"] | {"legal": "2030-01-01T00:00:00+00:00"}},
        lambda told: told | {"key": told["key"] | {"state": "erased"}},
        lambda told: told | {"verification": told["verification"] | {"verifier": "authority"}},
        lambda told: told | {"ledger": told["ledger"] | {"leaf": "{}"}},
        lambda told: {name: value for name, value in told.items() if name != "ledger"},
    ],
    ids=["copies", "holding", "store", "deadline", "key", "verifier", "leaf", "no proof"],
)
def test_even_the_verifier_cannot_sign_what_the_ledger_does_not_say(doubled_house, alter) -> None:
    """D9, D11: signed again by the right key, and still found out."""
    outer = json.loads(issued(doubled_house))
    text = json.dumps(alter(json.loads(outer["certificate"])))
    signature = keys.service("verifier-authority").sign("sign-verifier-authority", text.encode())
    document = json.dumps({**outer, "certificate": text, "signature": base64.b64encode(signature).decode()})
    verdict = certificate_check.verify(document)
    assert verdict.checks[0].holds
    assert not verdict.ok


@pytest.mark.parametrize("told", ["", "{}", "[]", '{"certificate": "[1]"}', '{"certificate": 3}', "\x00"])
def test_what_is_no_certificate_is_said_to_be_none(told: str) -> None:
    with pytest.raises(CheckFailed, match="not a certificate"):
        certificate_check.verify(told)


class Page(HTMLParser):
    """What a reader without eyes gets: landmarks, headings in order, terms with their descriptions, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def page_of(document: str) -> Page:
    return Page(certificate_page.render(document, certificate_check.verify(document)))


def test_the_page_says_it_in_plain_words_and_carries_the_signed_text(house) -> None:
    """D9: readable, and never the only evidence."""
    document = issued(house)
    page = page_of(document)
    told = certificate.read(document)
    for part in (
        told["id"],
        told["holding"],
        "The delivery (police 2022-10-03) held in the store authority is destroyed.",
        "before its deadline under the rule raw_28_days",
        "found no copies",
        "Ministry of Housing, Communities and Local Government",
        "31 October 2022 at 09:00 (London)",
        "NIST SP 800-88r2",
        "authority.20221031: destroyed",
        "Made under a simulated clock",
        told["ledger"]["checkpoint"]["root"],
        document,
    ):
        assert part in page.text, part


def test_the_page_needs_nothing_besides_itself(doubled_house) -> None:
    """It is kept for years, printed, and opened where there is no network."""
    page = page_of(issued(doubled_house))
    assert not page.named("script") and not page.named("link") and not page.named("img")
    assert all("src" not in attributes and "href" not in attributes for _, attributes in page.tags)


def test_the_page_is_readable_by_ear(doubled_house) -> None:
    """One language, one title, one main part, headings without a gap, every section named, meaning not by colour alone."""
    page = page_of(issued(doubled_house))
    assert page.named("html")[0]["lang"] == "en-GB"
    assert (len(page.named("main")), len(page.named("h1")), len(page.named("title"))) == (1, 1, 1)
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    headings = {attributes.get("id") for attributes in page.named("h2")}
    assert all(section["aria-labelledby"] in headings for section in page.named("section"))
    assert len(page.named("dt")) == len(page.named("dd"))
    assert page.text.count("Holds.") == 3


def test_a_page_of_a_forged_certificate_says_so_first(doubled_house) -> None:
    document = issued(doubled_house).replace("raw_28_days", "raw_99_days")
    page = page_of(document)
    assert "This is not a valid certificate" in page.text
    assert page.text.index("not a valid certificate") < page.text.index("is destroyed")
    assert "Does not hold." in page.text


def test_text_in_a_certificate_stays_text_on_the_page(doubled_house) -> None:
    """A label comes from a file's name."""
    held = doubled_house.put(label="<script>alert(1)</script>")
    page = page_of(destruction.destroy(held.id, "<b>bold</b>", LATER).document)
    assert not page.named("script") and not page.named("b")


def test_a_departments_page_counts_nobody(house) -> None:
    """D10: batch-level only."""
    import polars as pl

    from linkage.custody.vault import Vault

    frame = pl.DataFrame({"ref": ["a", "b"]})
    programme = "troubled_families_2015_2020"
    held = Vault("dwp").put_frame(frame, "match_working", programme=programme, natural_key="w")
    document = destruction.destroy(held.id, "a test").document
    assert "rows" not in certificate.read(document)
    assert "Rows it held" not in page_of(document).text
    own = Vault("authority").put_frame(frame, "delivery", programme=programme, natural_key="w")
    assert "Rows it held" in page_of(destruction.destroy(own.id, "a test").document).text
