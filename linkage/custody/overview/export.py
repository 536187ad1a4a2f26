"""A filtered list of holdings as CSV, row by row: for spreadsheets, which must not take a cell for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import select

from linkage.clock import LONDON
from linkage.custody.models import CertificateRow, Holding, HoldingRow
from linkage.custody.overview import words as words
from linkage.custody.overview.filter import Moment, Wanted
from linkage.custody.register import Register

COLUMNS = (
    *("holding", "holder", "store", "kind_of_data", "label", "programme", "wave", "standing", "rule", "received"),
    *("aim", "must_be_gone_before", "hold_authority", "hold_until", "destroyed", "certificate"),
)
BATCH = 2000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def rows(wanted: Wanted) -> Iterator[str]:
    """The CSV's lines: a heading, then the holdings asked for, by number.

    Read in batches of their own transactions: neither memory nor a lock grows with the register or a slow reader.
    """
    at = Moment.current()
    yield _written(COLUMNS)
    last = ""
    while batch := _batch(wanted, at, last):
        yield "".join(_written(_cells(holding, certificate, at)) for holding, certificate in batch)
        last = batch[-1][0].id


def _batch(wanted: Wanted, at: Moment, after: str) -> list[tuple[Holding, str | None]]:
    query = (
        select(HoldingRow, CertificateRow.id)
        .outerjoin(CertificateRow, CertificateRow.holding_id == HoldingRow.id)
        .where(*wanted.conditions(at), HoldingRow.id > after)
        .order_by(HoldingRow.id)
        .limit(BATCH)
    )
    with Register.open().transaction() as session:
        return [(Holding.of(row), certificate) for row, certificate in session.execute(query).tuples()]


def _cells(holding: Holding, certificate: str | None, at: Moment) -> tuple[Any, ...]:
    return (
        *(holding.id, holding.holder, holding.store, holding.dataset_class, holding.label, holding.programme),
        *(holding.wave, words.standing(holding, certificate is not None, at).words, holding.rule),
        *(_iso(holding.received_at), _iso(holding.target), _iso(holding.legal), holding.hold_authority),
        *(_iso(holding.hold_until), _iso(holding.destroyed_at), certificate),
    )


def _written(cells: tuple[Any, ...]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: Any) -> str:
    """Text that a spreadsheet would run is shown as text: an apostrophe goes before it (OWASP, CSV injection)."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(LONDON).isoformat(timespec="minutes") if moment else None
