"""What a reader of the register asked to see: which state, whose, which kind of data, which holding."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, and_, exists, or_

from linkage import clock, policy
from linkage.custody.models import LIVE, CertificateRow, HoldingRow
from linkage.errors import Misuse

STATES = {
    "held": "Held",
    "due": "Due",
    "overdue": "Overdue",
    "on-hold": "On hold",
    "unverified": "Not verified",
    "destroyed": "Destroyed",
    "all": "Everything",
}
"""The states a reader can choose, with their names on the page. A holding can be in several: overdue, and on hold."""

_WORD = re.compile(r"[a-z0-9_]{1,64}")
_NUMBER = re.compile(r"(?:hld|crt)_[0-9a-f]{0,32}|[0-9a-f]{1,32}")


@dataclass(frozen=True, slots=True)
class Moment:
    """The two instants a state depends on: now, and up to when the next sweep destroys (D6)."""

    now: datetime
    horizon: datetime

    @classmethod
    def current(cls) -> Moment:
        """As of the clock, by the policy's sweep."""
        now, timing = clock.now(), policy.load().sweep
        return cls(now, now + timedelta(hours=timing.every_hours + timing.margin_hours))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter: `search` is the beginning of a holding's or its certificate's number; empty parts do not narrow."""

    state: str = "held"
    holder: str = ""
    dataset_class: str = ""
    search: str = ""

    @classmethod
    def of(cls, state: str = "", holder: str = "", dataset_class: str = "", search: str = "") -> Wanted:
        """From what stood in an address. A search without a state looks everywhere. Raises Misuse, quoting nothing."""
        search = search.strip().lower()
        if (state or "held") not in STATES:
            raise Misuse("there is no such state; choose one of " + ", ".join(STATES))
        if any(word and not _WORD.fullmatch(word) for word in (holder, dataset_class)):
            raise Misuse("a holder or a kind of data has lower-case letters, digits and underscores only")
        if search and not _NUMBER.fullmatch(search):
            raise Misuse("search for the number of a holding or certificate, or how it begins: hld_… or crt_…")
        return cls(state or ("all" if search else "held"), holder, dataset_class, search)

    def query(self, **changes: Any) -> str:
        """The address of this filter with changes, for links: `state=held&holder=ons`; `page` counts from 1."""
        page = changes.pop("page", 1)
        told = replace(self, **changes)
        parts = {"state": told.state, "holder": told.holder, "class": told.dataset_class, "search": told.search}
        return urlencode({name: value for name, value in parts.items() if value} | ({"page": page} if page > 1 else {}))

    def conditions(self, at: Moment) -> list[ColumnElement[bool]]:
        """The whole filter for a query over holdings."""
        return [*state_conditions(at)[self.state], *self.narrowed()]

    def narrowed(self) -> list[ColumnElement[bool]]:
        """The filter without its state."""
        told: list[ColumnElement[bool]] = []
        if self.holder:
            told.append(HoldingRow.holder == self.holder)
        if self.dataset_class:
            told.append(HoldingRow.dataset_class == self.dataset_class)
        if self.search:
            number = self.search.removeprefix("hld_").removeprefix("crt_")
            told.append(HoldingRow.id.startswith(f"hld_{number}", autoescape=True))
        return told

    @property
    def narrow(self) -> bool:
        """Whether anything but the state narrows."""
        return bool(self.holder or self.dataset_class or self.search)


def state_conditions(at: Moment) -> dict[str, list[ColumnElement[bool]]]:
    """Each state as conditions on a holding.

    `due` leaves out what is overdue or on hold: it is what the next sweep will destroy in good time.
    """
    live = HoldingRow.state.in_(LIVE)
    overdue = and_(live, HoldingRow.legal <= at.now)
    on_hold = and_(HoldingRow.state.in_(("writing", "held")), HoldingRow.hold_until > at.now)
    certified = exists().where(CertificateRow.holding_id == HoldingRow.id)
    free = or_(HoldingRow.hold_until.is_(None), HoldingRow.hold_until <= at.now)
    return {
        "held": [live],
        "due": [live, HoldingRow.target < at.horizon, or_(HoldingRow.legal.is_(None), HoldingRow.legal > at.now), free],
        "overdue": [overdue],
        "on-hold": [on_hold],
        "unverified": [or_(HoldingRow.state == "destroying", and_(HoldingRow.state == "destroyed", ~certified))],
        "destroyed": [HoldingRow.destroyed_at.is_not(None)],
        "all": [],
    }
