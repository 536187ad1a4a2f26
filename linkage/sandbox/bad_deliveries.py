"""Deliveries with one fault each, made from a good one; almost all must be refused as a whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from linkage.sandbox.partner_files import Delivery, as_csv, partner_deliveries, sealed
from linkage.sandbox.population import Population

_FEED = "police"


@dataclass(frozen=True)
class BadDelivery:
    """As a Delivery; `manifest` is None where the partner sent none."""

    file_name: str
    content: bytes
    manifest_name: str
    manifest: bytes | None


def bad_deliveries(population: Population, delivered_on: date) -> dict[str, BadDelivery]:
    """Case -> delivery. Each is the police delivery of the day with one fault, except the census cases.

    Two are not refused: `ragged_row` costs that one row only, and `duplicate_of_itself` is the same file again, which
    must change nothing.
    """
    good = partner_deliveries(population, delivered_on)
    police, census = good[_FEED], good["children_services"]
    text = police.content.decode()
    header, _, body = text.partition("\r\n")
    rows = text.count("\r\n") - 1
    cases = {
        "truncated": replace(police, content=police.content[: len(police.content) * 2 // 3]),
        "truncated_inside_quotes": _again(_cut_inside_quotes(text), rows, delivered_on),
        "wrong_checksum": _told(police, sha256="0" * 64),
        "wrong_row_count": _told(police, rows=rows + 7),
        "wrong_feed": _told(police, feed="housing"),
        "unknown_contract": _told(police, contract=f"{_FEED}/99"),
        "manifest_missing": police,
        "manifest_unreadable": replace(police, manifest=b'{"feed": "police", '),
        "manifest_not_an_object": replace(police, manifest=b"[]\n"),
        "future_dated": sealed(_FEED, police.content, rows, delivered_on + timedelta(days=30)),
        "name_of_another_day": replace(police, file_name=f"{_FEED}_{delivered_on - timedelta(days=1)}.csv"),
        "unknown_column": _again(_with_column(header, body), rows, delivered_on),
        "missing_column": _again(_without_column(police.content, "occurred_on"), rows, delivered_on),
        "duplicate_column": _again(text.replace("outcome_on", "occurred_on", 1), rows, delivered_on),
        "header_only": _again(header + "\r\n", 0, delivered_on),
        "zero_bytes": sealed(_FEED, b"", 0, delivered_on),
        "latin_1": sealed(_FEED, text.replace("Road", "Rôad").encode("latin-1"), rows, delivered_on),
        "utf_16": sealed(_FEED, text.encode("utf-16"), rows, delivered_on),
        "nul_bytes": sealed(_FEED, police.content.replace(b"crime", b"cri\x00me", 1), rows, delivered_on),
        "ragged_row": _again(text.removesuffix("\r\n") + ",surplus\r\n", rows, delivered_on),
        "semicolons": _again(text.replace(",", ";"), rows, delivered_on),
        "not_a_table": sealed(_FEED, b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", 1, delivered_on),
        "census_cut_short": _census(census, census.content[: len(census.content) // 2], delivered_on),
        "census_with_entity": _census(census, _with_entity(census.content), delivered_on),
        "census_of_something_else": _census(
            census, census.content.replace(b"<Collection>CIN<", b"<Collection>CLA<"), delivered_on
        ),
        "duplicate_of_itself": police,
    }
    return {
        case: BadDelivery(
            one.file_name, one.content, one.manifest_name, None if case == "manifest_missing" else one.manifest
        )
        for case, one in sorted(cases.items())
    }


def _again(text: str, rows: int, delivered_on: date) -> Delivery:
    """The changed file with a manifest that describes it honestly, so that only the fault itself can refuse it."""
    return sealed(_FEED, text.encode(), rows, delivered_on)


def _told(delivery: Delivery, **changes: str | int) -> Delivery:
    told = json.loads(delivery.manifest) | changes
    return replace(delivery, manifest=json.dumps(told).encode())


def _census(census: Delivery, content: bytes, delivered_on: date) -> Delivery:
    rows = json.loads(census.manifest)["rows"]
    return sealed("children_services", content, rows, delivered_on)


def _cut_inside_quotes(text: str) -> str:
    return text[: text.rindex('"')]


def _without_column(content: bytes, column: str) -> str:
    whole = pl.read_csv(content, infer_schema=False)
    return as_csv(whole.drop(column)).decode()


def _with_column(header: str, body: str) -> str:
    lines = body.removesuffix("\r\n").split("\r\n")
    return "\r\n".join([header + ",ethnicity", *(line + ",not stated" for line in lines)]) + "\r\n"


def _with_entity(content: bytes) -> bytes:
    doctype = b'<!DOCTYPE Message [<!ENTITY who SYSTEM "file:///etc/hostname">]>\n<Message>'
    return content.replace(b"<Message>", doctype, 1).replace(b"<Collection>CIN<", b"<Collection>&who;<", 1)
