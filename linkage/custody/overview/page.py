"""The register as governance staff look at it: counts by holder and one page of holdings. Ids and dates, no person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session

from linkage import clock, policy
from linkage.custody.models import LIVE, CertificateRow, Holding, HoldingRow, SweepRow
from linkage.custody.overview import words as words
from linkage.custody.overview.filter import STATES, Moment, Wanted, state_conditions
from linkage.custody.overview.words import london
from linkage.custody.register import Register


@dataclass(frozen=True, slots=True)
class HolderLine:
    """One holder's counts by state, and the nearest legal deadline of what it still holds."""

    holder: str
    counts: dict[str, int]
    next_deadline: str | None


@dataclass(frozen=True, slots=True)
class HoldingLine:
    """One holding; times are London, to the minute."""

    holding: str
    holder: str
    store: str
    dataset_class: str
    what: str
    rule: str
    received: str | None
    target: str | None
    legal: str | None
    left: str
    kind: str
    standing: str
    hold_authority: str | None
    hold_until: str | None
    destroyed_at: str | None
    certificate: str | None


@dataclass(frozen=True, slots=True)
class SweepLine:
    """The last sweep that reported (D13); `silent` when the next one should have by now."""

    reported: str | None
    due: int
    destroyed: int
    failed: int
    blocked: int
    silent: bool


@dataclass(frozen=True, slots=True)
class Retention:
    """What the Retention page shows."""

    now: str | None
    simulated: bool
    wanted: Wanted
    page: int
    pages: int
    total: int
    counts: dict[str, int]
    everywhere: dict[str, int]
    holders: list[HolderLine]
    classes: list[str]
    sweep: SweepLine | None
    rows: list[HoldingLine]

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self) | {"state": self.wanted.state, "overdue": self.everywhere["overdue"]}


@dataclass(frozen=True, slots=True)
class _Group:
    """The counts of one holder's holdings of one class that are in one state of the register."""

    holder: str
    dataset_class: str
    nearest: datetime | None
    counts: dict[str, int]


def retention(wanted: Wanted, page: int = 1, size: int = 50) -> Retention:
    """The overview and one page of the holdings asked for; a page behind the last one is the last one.

    Four statements whatever the register's size; one more under a search, and one where a certificate is missing.
    Raises DependencyUnreachable.
    """
    register, at = Register.open(), Moment.current()
    with register.transaction() as session:
        groups = _groups(session, at)
        counts = _sum(one for one in groups if _within(one, wanted))
        total = _number(session, wanted, at) if wanted.search else counts[wanted.state]
        pages = max(1, -(-total // size))
        page = min(max(page, 1), pages)
        rows = session.execute(page_of(wanted, at, page, size)).tuples().all()
        sweep = session.scalars(select(SweepRow).order_by(SweepRow.reported_at.desc()).limit(1)).first()
    return Retention(
        now=london(at.now),
        simulated=clock.is_simulated(),
        wanted=wanted,
        page=page,
        pages=pages,
        total=total,
        counts=counts,
        everywhere=_sum(groups),
        holders=_by_holder(groups),
        classes=sorted({one.dataset_class for one in groups}),
        sweep=_sweep(sweep, at.now),
        rows=[line(Holding.of(row), certificate, at) for row, certificate in rows],
    )


def page_of(wanted: Wanted, at: Moment, page: int, size: int) -> Select[HoldingRow, str]:
    """The statement for one page of holdings with their certificates' ids, nearest deadline or latest destruction first.

    The page's ids come from an index alone, so that a page in the middle of many costs no reading of whole rows.
    """
    order: list[ColumnElement[Any]]
    if wanted.state == "destroyed":
        order = [HoldingRow.destroyed_at.desc(), HoldingRow.id.desc()]
    else:
        order = [HoldingRow.legal.asc().nulls_last(), HoldingRow.id.asc()]
    ids = select(HoldingRow.id).where(*wanted.conditions(at)).order_by(*order).limit(size).offset((page - 1) * size)
    chosen = ids.subquery()
    return (
        select(HoldingRow, CertificateRow.id)
        .join(chosen, chosen.c.id == HoldingRow.id)
        .outerjoin(CertificateRow, CertificateRow.holding_id == HoldingRow.id)
        .order_by(*order)
    )


def line(holding: Holding, certificate: str | None, at: Moment) -> HoldingLine:
    """A holding as one line of a table."""
    where = words.standing(holding, certificate is not None, at)
    return HoldingLine(
        holding=holding.id,
        holder=holding.holder,
        store=holding.store,
        dataset_class=words.kind_of_data(holding.dataset_class),
        what=words.what(holding),
        rule=holding.rule,
        received=london(holding.received_at),
        target=london(holding.target),
        legal=london(holding.legal),
        left=words.margin(holding) if holding.state == "destroyed" else words.left(holding.legal, at.now),
        kind=where.kind,
        standing=where.words,
        hold_authority=holding.hold_authority if words.on_hold(holding, at) else None,
        hold_until=london(holding.hold_until) if words.on_hold(holding, at) else None,
        destroyed_at=london(holding.destroyed_at),
        certificate=certificate,
    )


def _groups(session: Session, at: Moment) -> list[_Group]:
    """Every count the page shows, from an index alone: certificates are joined only when one is missing."""
    conditions = state_conditions(at)
    narrow = ("due", "overdue", "on-hold")
    query = select(
        *(HoldingRow.holder, HoldingRow.dataset_class, HoldingRow.state, func.min(HoldingRow.legal), func.count()),
        *(func.count().filter(*conditions[state]) for state in narrow),
    ).group_by(HoldingRow.holder, HoldingRow.dataset_class, HoldingRow.state)
    found = session.execute(query).all()
    destroyed = sum(one[4] for one in found if one[2] == "destroyed")
    certified = session.scalar(select(func.count()).select_from(CertificateRow)) or 0
    uncertified = _uncertified(session) if certified < destroyed else {}
    groups = []
    for holder, dataset_class, state, nearest, number, *narrowed in found:
        live, gone = state in LIVE, state == "destroyed"
        missing = uncertified.get((holder, dataset_class), 0) if gone else 0
        counts = dict(zip(narrow, narrowed, strict=True)) | {
            "held": number * live,
            "unverified": number * (state == "destroying") + missing,
            "destroyed": number * gone,
            "all": number,
        }
        groups.append(_Group(holder, dataset_class, nearest if live else None, counts))
    return groups


def _uncertified(session: Session) -> dict[tuple[str, str], int]:
    """Destroyed holdings without a certificate, by holder and class (D7)."""
    certified = exists().where(CertificateRow.holding_id == HoldingRow.id)
    query = (
        select(HoldingRow.holder, HoldingRow.dataset_class, func.count())
        .where(HoldingRow.destroyed_at.is_not(None), ~certified)
        .group_by(HoldingRow.holder, HoldingRow.dataset_class)
    )
    return {(holder, kind): number for holder, kind, number in session.execute(query)}


def _within(group: _Group, wanted: Wanted) -> bool:
    return wanted.holder in ("", group.holder) and wanted.dataset_class in ("", group.dataset_class)


def _sum(groups: Any) -> dict[str, int]:
    found = list(groups)
    return {state: sum(one.counts[state] for one in found) for state in STATES}


def _by_holder(groups: Sequence[_Group]) -> list[HolderLine]:
    told = []
    for holder in sorted({one.holder for one in groups}):
        own = [one for one in groups if one.holder == holder]
        nearest = [one.nearest for one in own if one.nearest is not None]
        told.append(HolderLine(holder, _sum(own), london(min(nearest)) if nearest else None))
    return told


def _number(session: Session, wanted: Wanted, at: Moment) -> int:
    return session.scalar(select(func.count()).select_from(HoldingRow).where(*wanted.conditions(at))) or 0


def _sweep(row: SweepRow | None, now: datetime) -> SweepLine | None:
    if row is None:
        return None
    timing = policy.load().sweep
    silent = now - row.reported_at > timedelta(hours=timing.every_hours + timing.margin_hours)
    return SweepLine(london(row.reported_at), row.due, row.destroyed, row.failed, row.blocked, silent)
