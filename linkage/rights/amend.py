"""Changing what the authority holds about one person: new holdings with corrected rows, or without them (S2).

A person is recognised by the authority's own record, so that record is changed last: a run that was killed finds
them again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from linkage import clock
from linkage.custody.destruction import chain as destruction
from linkage.custody.models import Holding
from linkage.custody.vault import Vault, parquet
from linkage.early_help import daily
from linkage.early_help.people import CASE
from linkage.errors import LinkageError
from linkage.rights.correction import Correction
from linkage.rights.trace import Found, Trace, without_records

REWRITTEN = ("delivery", "quarantine", "people", "issue_evidence", "submission_pack")
CORRECTED = ("delivery", "people")
REASON = "a person asked for erasure (S2)"


@dataclass(frozen=True, slots=True)
class Changed:
    """What was changed: `sheets` holds, by feed, the person's reference, column and right value for the partner."""

    holdings: int
    rows: int
    sheets: dict[str, pl.DataFrame]


def correct(vault: Vault, known: Trace, corrections: Sequence[Correction], number: str) -> Changed:
    """Put the values right in every delivery and list in force; each corrected holding supersedes the wrong one (S2).

    Superseded copies keep the old value until their own deadline, a few days or weeks away; nothing reads them.
    """
    old = {column: set(known.ways[column].drop_nulls()) for column in known.ways.columns}
    holdings, rows, sheets = 0, 0, {}
    for found in _own_record_last(known, CORRECTED):
        if found.holding.superseded_by is not None:
            continue
        frame, changed = found.frame, []
        for one in corrections:
            if one.feed not in (None, found.feed):
                continue
            wrong = one.wrong_in(frame, found.theirs, old.get(one.column, set()))
            if wrong.any():
                changed.append((one, wrong))
                frame = one.applied(frame, wrong)
        if changed:
            _replace(vault, found, frame, number)
            holdings, rows = holdings + 1, rows + sum(int(wrong.sum()) for _, wrong in changed)
            if found.feed:
                sheets[found.feed] = _sheet(found.frame, changed)
    return Changed(holdings, rows, sheets)


def erase(vault: Vault, known: Trace, number: str) -> list[str]:
    """Remove the person's rows from everything the authority holds, destroy what held them, and say so (S2, D7).

    What is in force is rewritten without the rows; what is superseded already is destroyed whole. Raises CheckFailed
    when a destruction fails, for example under a legal hold (D12): the request stays open.
    """
    lines = []
    for found in _own_record_last(known, REWRITTEN):
        if vault.register.get(found.holding.id).state != "held":
            continue
        if found.holding.superseded_by is None:
            _replace(vault, found, _without(vault, found), number)
            lines.append(f"{found.holding.id}: rewritten without the person's rows, then destroyed.")
        else:
            lines.append(f"{found.holding.id}: superseded before, destroyed whole.")
        destruction.destroy(found.holding.id, REASON)
    return lines


def destroy_old_lists(vault: Vault, known: Trace) -> list[str]:
    """Destroy the family lists that are superseded and hold a line about the person's family (S2)."""
    lines = []
    for found in known.of_class("family_list"):
        if vault.register.get(found.holding.id).superseded_by is not None:
            destruction.destroy(found.holding.id, REASON)
            lines.append(f"{found.holding.id}: an earlier family list, destroyed.")
    return lines


def rules_rerun() -> str:
    """Identify anew from the changed record, as of today, and say what came of it (S2: affected rules are re-run)."""
    try:
        made = daily.identify(clock.today())
    except LinkageError as error:
        return f"The families could not be identified anew ({error}); the next daily run does it."
    return f"Families were identified anew as of {made.as_of}: {', '.join(made.holdings)}."


def _own_record_last(known: Trace, classes: Sequence[str]) -> list[Found]:
    def place(found: Found) -> tuple[int, bool]:
        own = found.feed == CASE or found.holding.dataset_class == "people"
        # Newest last of all: what is in force is what a run that was killed reads first.
        return int(own), found.holding.superseded_by is None

    return sorted((one for one in known.found if one.holding.dataset_class in classes), key=place)


def _without(vault: Vault, found: Found) -> pl.DataFrame | bytes:
    if found.is_text:
        return without_records(vault.read_bytes(found.holding.id), found.theirs)
    return found.frame.filter(~found.theirs)


def _replace(vault: Vault, found: Found, content: pl.DataFrame | bytes, number: str) -> Holding:
    """Put the changed content in the place of the old, under the same clock (D2) and deadline (D4)."""
    old = found.holding
    feed, _, rest = old.natural_key.partition(":")
    # The feed stays in front and the mark of quarantined rows behind, as receipt and identification read them there.
    natural_key = f"{feed}:{old.id[4:]}:{number[4:]}{':rows' if rest.endswith(':rows') else ''}"
    data, rows = (content, None) if isinstance(content, bytes) else (parquet(content), content.height)
    fresh = vault.put_bytes(
        data,
        old.dataset_class,
        programme=old.programme,
        natural_key=natural_key,
        wave=old.wave,
        label=old.label,
        parents=[old.id],
        received_at=old.received_at,
        rows=rows,
    )
    vault.supersede(old.id, fresh.id)
    return fresh


def _sheet(frame: pl.DataFrame, changed: Sequence[tuple[Correction, pl.Series]]) -> pl.DataFrame:
    """What the partner needs to put its own record right: its reference, the column, the right value."""
    return pl.concat(
        frame.filter(wrong).select("person_ref", column=pl.lit(one.column), value=pl.lit(one.value))
        for one, wrong in changed
    ).unique(maintain_order=True)
