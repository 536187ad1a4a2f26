"""Delivery quality as the authority's staff look at it: what each feed brought, what was wrong with it, how it moves."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from linkage import clock
from linkage.custody import history
from linkage.custody.overview.words import Standing, london
from linkage.errors import Unknown
from linkage.feeds import FEEDS, held, loading, quality
from linkage.feeds.contract import Contract
from linkage.feeds.reasons import sentence
from linkage.feeds.trend import Trend, trend

CSV_COLUMNS = (
    *(
        "feed",
        "checked",
        "dated",
        "outcome",
        "reason",
        "where",
        "delivered",
        "accepted",
        "set_aside",
        "accepted_before",
    ),
    *("faults", "flags", "expectations", "holding"),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A reason at a column, in how many rows, and what it means and asks for."""

    column: str
    reason: str
    rows: int
    said: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One checked delivery, in counts. Times are London's."""

    feed: str
    checked: str
    dated: str | None
    outcome: str
    reason: str | None
    said: str
    where: str | None
    delivered: int
    accepted: int
    set_aside: int
    before: int | None
    faults: tuple[Fault, ...]
    flags: tuple[Fault, ...]
    filled: dict[str, float]
    shifts: dict[str, float]
    expectations: int | None
    holding: str

    @property
    def standing(self) -> Standing:
        """What became of it, in words and a colour."""
        match self.outcome:
            case "refused":
                return Standing("alarm", "Refused")
            case "held":
                return Standing("soon", "Held for a person")
            case _ if self.set_aside:
                return Standing("plain", "Accepted, rows set aside")
            case _:
                return Standing("good", "Accepted")

    @property
    def against_before(self) -> str:
        """Rows against the delivery in force before: `1.04 times`."""
        return f"{self.accepted / self.before:.2f} times" if self.before and self.outcome == "accepted" else ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A held delivery, and what its person may say."""

    feed: str
    delivery: str
    reason: str
    said: str
    since: str | None
    until: str | None
    word: str
    holding: str


@dataclass(frozen=True, slots=True)
class FeedLine:
    """A feed on the overview: its last delivery, the last that was accepted, and its course."""

    feed: str
    partner: str
    last: Delivery | None
    in_force: Delivery | None
    trend: Trend
    count: int


@dataclass(frozen=True, slots=True)
class Measure:
    """A share of the last delivery beside the one before and the contract's limit."""

    column: str
    now: str
    before: str
    limit: str
    beyond: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page."""

    now: str | None
    simulated: bool
    feeds: list[FeedLine]
    waiting: list[Waiting]


@dataclass(frozen=True, slots=True)
class FeedPage:
    """One feed's page."""

    now: str | None
    simulated: bool
    line: FeedLine
    deliveries: list[Delivery]
    page: int
    pages: int
    waiting: list[Waiting]
    coverage: list[Measure]
    mix: list[Measure]
    limits: list[str]
    kept: list[str]
    dropped: dict[str, str] = field(default_factory=dict)


def overview() -> Overview:
    """Every feed, those that need somebody told by what waits."""
    by_feed = _by_feed()
    return Overview(
        london(clock.now()), clock.is_simulated(), [_line(feed, by_feed[feed]) for feed in FEEDS], _waiting()
    )


def feed_page(feed: str, page: int, size: int) -> FeedPage:
    """One feed: its deliveries, newest first, a page of them. Raises Unknown."""
    if feed not in FEEDS:
        raise Unknown("there is no feed with that name")
    contract, told = loading.load(feed), _by_feed()[feed]
    pages = max(1, -(-len(told) // size))
    page = min(page, pages)
    last, before = _last_two(told)
    return FeedPage(
        now=london(clock.now()),
        simulated=clock.is_simulated(),
        line=_line(feed, told),
        deliveries=told[::-1][(page - 1) * size : page * size],
        page=page,
        pages=pages,
        waiting=[one for one in _waiting() if one.feed == feed],
        coverage=_coverage(contract, last, before),
        mix=_mix(contract, last, before),
        limits=_limits(contract),
        kept=[column.name for column in contract.kept],
        dropped=contract.dropped,
    )


def csv_lines(feed: str | None = None) -> Iterator[str]:
    """Every checked delivery (of a feed) as CSV, oldest first. No cell is a partner's text. Raises Unknown."""
    if feed is not None and feed not in FEEDS:
        raise Unknown("there is no feed with that name")
    by_feed = _by_feed()
    rows = [one for name in FEEDS if feed in (None, name) for one in by_feed[name]]
    yield _written(CSV_COLUMNS)
    for one in rows:
        told = asdict(one) | {"accepted_before": one.before}
        for kind in ("faults", "flags"):
            faults: Sequence[Fault] = getattr(one, kind)
            told[kind] = "; ".join(f"{fault.column or 'row'} {fault.reason} {fault.rows}" for fault in faults)
        yield _written([told[name] for name in CSV_COLUMNS])


def _written(cells: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(["" if cell is None else cell for cell in cells])
    return out.getvalue()


def _by_feed() -> dict[str, list[Delivery]]:
    found: dict[str, list[Delivery]] = {feed: [] for feed in FEEDS}
    for at, facts in history.dated_facts(quality.KIND):
        found[str(facts["feed"])].append(_delivery(at, facts))
    return found


def _delivery(at: datetime, facts: dict[str, Any]) -> Delivery:
    reason = facts["reason"]
    return Delivery(
        feed=facts["feed"],
        checked=str(london(at)),
        dated=facts["delivered_on"],
        outcome=facts["outcome"],
        reason=reason,
        said=sentence(reason) if reason else "",
        where=facts["where"],
        delivered=facts["delivered"],
        accepted=facts["accepted"],
        set_aside=facts["quarantined"],
        before=facts["before"],
        faults=tuple(
            Fault(column, code, rows, sentence(code))
            for column, code, rows in sorted(facts["faults"], key=lambda one: (-one[2], one))
        ),
        flags=tuple(
            Fault(code.removesuffix("_invalid"), code, rows, sentence(code)) for code, rows in facts["flags"].items()
        ),
        filled=facts["filled"],
        shifts=facts["shifts"],
        expectations=facts["expectations"],
        holding=facts["holding"],
    )


def _line(feed: str, told: list[Delivery]) -> FeedLine:
    in_force = next((one for one in reversed(told) if one.outcome == "accepted"), None)
    course = trend([(one.accepted, one.set_aside, one.outcome) for one in told])
    return FeedLine(feed, loading.load(feed).partner, told[-1] if told else None, in_force, course, len(told))


def _last_two(told: list[Delivery]) -> tuple[Delivery | None, Delivery | None]:
    """The last delivery that could be read, and the one before it."""
    read = [one for one in told if one.filled]
    return (read[-1] if read else None), (read[-2] if len(read) > 1 else None)


def _coverage(contract: Contract, last: Delivery | None, before: Delivery | None) -> list[Measure]:
    if last is None:
        return []
    limits = contract.drift.coverage
    return [
        Measure(
            name,
            f"{share:.1%}",
            f"{before.filled[name]:.1%}" if before and name in before.filled else "",
            f"at least {limits[name]:.0%}" if name in limits else "none",
            name in limits and share < limits[name],
        )
        for name, share in last.filled.items()
    ]


def _mix(contract: Contract, last: Delivery | None, before: Delivery | None) -> list[Measure]:
    if last is None:
        return []
    limit = contract.drift.mix_shift
    return [
        Measure(
            name,
            f"{shift:.1%}",
            f"{before.shifts[name]:.1%}" if before and name in before.shifts else "",
            f"at most {limit:.0%}",
            shift > limit,
        )
        for name, shift in last.shifts.items()
    ]


def _limits(contract: Contract) -> list[str]:
    drift, (low, high) = contract.drift, contract.drift.volume_band
    return [
        f"fewer than {low:g} or more than {high:g} times the rows of the delivery before (from {drift.volume_from_rows} rows on)",
        f"more than {drift.quarantine_share:.0%} of the rows broken (from {drift.quarantine_from_rows} rows on)",
        *(f"fewer than {least:.0%} of the rows fill in {name}" for name, least in drift.coverage.items()),
        f"the codes of a column moved by more than {drift.mix_shift:.0%} (from {drift.mix_from_rows} rows on)",
    ]


def _waiting() -> list[Waiting]:
    """Held deliveries that no run has loaded and nobody has rejected."""
    words = {None: "Waits for a person", "confirmed": "Confirmed: the next run loads it"}
    return [
        Waiting(
            one.feed,
            one.delivery,
            one.reason,
            sentence(one.reason),
            london(one.received_at),
            london(one.until),
            words[one.word],
            one.holding,
        )
        for one in held.listing()
        if not one.loaded and one.word in words
    ]
