"""The register's facts in plain English: where a holding stands, how long it has left, why it must go then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from linkage import policy
from linkage.clock import LONDON
from linkage.custody.models import Holding
from linkage.custody.overview.filter import Moment
from linkage.errors import LinkageError
from linkage.policy.schema import ProgrammeHead, Retention

HOLDERS = {"authority": "Authority", "ons": "ONS", "dwp": "DWP", "moj": "MoJ", "dfe": "DfE", "mhclg": "MHCLG"}
_EARLIER = ", earlier by its source's "


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a holding stands: `kind` is good, plain, soon or alarm; `words` say it without the colour."""

    kind: str
    words: str


def standing(holding: Holding, certified: bool, at: Moment) -> Standing:
    """Where a holding stands now; what most needs a person is said first (D3, D7, D12)."""
    if holding.state == "destroyed":
        return Standing("good", "Destroyed") if certified else Standing("alarm", "Destroyed, not certified")
    if holding.legal is not None and holding.legal <= at.now:
        return Standing("alarm", "Overdue, on hold" if on_hold(holding, at) else "Overdue")
    if holding.state == "destroying":
        return Standing("alarm", "Destruction not verified")
    if on_hold(holding, at):
        return Standing("soon", "On hold")
    if holding.target is None:
        return Standing("plain", "Kept: anonymised")
    if holding.target <= at.now:
        return Standing("soon", "Past its aim")
    if holding.target < at.horizon:
        return Standing("soon", "Due")
    return Standing("plain", "Held")


def on_hold(holding: Holding, at: Moment) -> bool:
    """Whether a legal hold is in force (D12)."""
    return holding.hold_until is not None and holding.hold_until > at.now and holding.state in ("writing", "held")


def left(legal: datetime | None, at: datetime) -> str:
    """How far a deadline is away at an instant: `in 5 days`, `in 3 hours`, `2 days late`; nothing without one."""
    if legal is None:
        return ""
    apart = abs(legal - at)
    span = _count(apart // timedelta(days=1), "day") if apart >= timedelta(days=1) else _hours(apart)
    return f"in {span}" if legal > at else f"{span} late"


def margin(holding: Holding) -> str:
    """How early or late a destroyed holding was gone: `2 days early`."""
    if holding.legal is None or holding.destroyed_at is None:
        return ""
    told = left(holding.legal, holding.destroyed_at)
    return told if told.endswith("late") else f"{told.removeprefix('in ')} early"


def london(moment: datetime | None) -> str | None:
    """An instant as a London date and time: `3 Dec 2022 04:30`."""
    return moment.astimezone(LONDON).strftime("%-d %b %Y %H:%M") if moment else None


def kind_of_data(dataset_class: str) -> str:
    """A dataset class as words."""
    return dataset_class.replace("_", " ")


def what(holding: Holding) -> str:
    """What a holding is: its class, and its label where it has another one."""
    kind = kind_of_data(holding.dataset_class)
    return kind if holding.label in (None, holding.dataset_class) else f"{kind}: {holding.label}"


def why_then(holding: Holding) -> str:
    """The destruction rule in plain English, and what brought the date forward (D4)."""
    own, *sooner = holding.rule.split(_EARLIER)
    said = _own_rule(own, holding.programme)
    if sooner:
        said += f"; brought forward by the rule {kind_of_data(sooner[-1])} of something it was made from or replaced by"
    return said


def _own_rule(name: str, programme: str) -> str:
    try:
        file = policy.load(programme).file
        return _rule(file.retention[name], file.programme)
    except (LinkageError, KeyError):  # a programme whose file has gone, or whose rules were renamed since
        return f"the rule {kind_of_data(name)}"


def _rule(rule: Retention, programme: ProgrammeHead) -> str:
    match rule.kind:
        case "one_month":
            return f"one calendar month after the first copy came; operations aim at {rule.target_days} days"
        case "days":
            return f"{rule.days} days after it came"
        case "months":
            return f"{_count(rule.months or 0, 'calendar month')} after it came"
        case "superseded":
            return f"{rule.days} days after its successor came, and {rule.at_most_months} months at the most"
        case "programme":
            return f"before the programme's end, {programme.closes:%-d %B %Y}"
        case _:
            return "anonymised: no longer personal data, so there is no deadline"


def _hours(apart: timedelta) -> str:
    hours = apart // timedelta(hours=1)
    return _count(hours, "hour") if hours else "less than an hour"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
