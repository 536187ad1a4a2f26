"""The register as governance staff look at it: counts by holder and one page of holdings. Ids and dates, no person."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, select

from linkage import clock
from linkage.clock import LONDON
from linkage.custody.models import LIVE, CertificateRow, HoldingRow
from linkage.custody.register import Register


@dataclass(frozen=True, slots=True)
class HolderLine:
    """One holder's counts."""

    holder: str
    held: int
    destroyed: int
    overdue: int
    next_deadline: str | None


@dataclass(frozen=True, slots=True)
class HoldingLine:
    """One holding; times are London, to the minute."""

    holding: str
    store: str
    dataset_class: str
    rule: str
    target: str | None
    legal: str | None
    destroyed_at: str | None
    certificate: str | None


@dataclass(frozen=True, slots=True)
class Retention:
    """What the Retention page shows."""

    now: str
    simulated: bool
    state: str
    page: int
    pages: int
    total: int
    overdue: int
    last_sweep: str | None
    holders: list[HolderLine]
    rows: list[HoldingLine]

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def retention(state: str, page: int = 1, size: int = 100) -> Retention:
    """The overview and one page of the holdings in a state: `held`, `destroyed` or `overdue`."""
    register, now = Register.open(), clock.now()
    wanted = {
        "held": HoldingRow.state.in_(LIVE),
        "destroyed": HoldingRow.state == "destroyed",
        "overdue": and_(HoldingRow.state.in_(LIVE), HoldingRow.legal <= now),
    }[state]
    order = HoldingRow.destroyed_at.desc() if state == "destroyed" else HoldingRow.legal.asc().nulls_last()
    query = (
        select(HoldingRow, CertificateRow.id)
        .outerjoin(CertificateRow, CertificateRow.holding_id == HoldingRow.id)
        .where(wanted)
        .order_by(order, HoldingRow.id)
        .limit(size)
        .offset((page - 1) * size)
    )
    with register.transaction() as session:
        total = session.scalar(select(func.count()).select_from(HoldingRow).where(wanted)) or 0
        rows = [_line(row, certificate) for row, certificate in session.execute(query)]
        holders = [
            HolderLine(holder, held, destroyed, overdue, _london(nearest))
            for holder, held, destroyed, overdue, nearest in session.execute(_by_holder(now))
        ]
    sweep = register.last_sweep()
    return Retention(
        now=str(_london(now)),
        simulated=clock.is_simulated(),
        state=state,
        page=page,
        pages=max(1, -(-total // size)),
        total=total,
        overdue=sum(one.overdue for one in holders),
        last_sweep=_london(sweep.reported_at) if sweep else None,
        holders=holders,
        rows=rows,
    )


def _by_holder(now: datetime) -> Any:
    live = HoldingRow.state.in_(LIVE)
    return (
        select(
            HoldingRow.holder,
            func.sum(case((live, 1), else_=0)),
            func.sum(case((live, 0), else_=1)),
            func.sum(case((and_(live, HoldingRow.legal <= now), 1), else_=0)),
            func.min(case((live, HoldingRow.legal), else_=None)),
        )
        .group_by(HoldingRow.holder)
        .order_by(HoldingRow.holder)
    )


def _line(row: HoldingRow, certificate: str | None) -> HoldingLine:
    return HoldingLine(
        row.id,
        row.store,
        row.dataset_class.replace("_", " "),
        row.rule,
        _london(row.target),
        _london(row.legal),
        _london(row.destroyed_at),
        certificate,
    )


def _london(moment: datetime | None) -> str | None:
    return moment.astimezone(LONDON).strftime("%-d %b %Y %H:%M") if moment else None
