"""The watchdog: outside Airflow, asks the register alone whether something is overdue or the sweep is silent (D13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from linkage import clock, policy
from linkage.custody import holds
from linkage.custody.models import Holding
from linkage.custody.register import Register
from linkage.custody.watch import alerts
from linkage.errors import DependencyUnreachable


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that needs a person: its kind, as alerts name it, and an English sentence."""

    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Watch:
    """What the watchdog saw; nothing `found` when all is well."""

    now: datetime
    overdue: int
    late: int
    last_sweep: datetime | None
    found: tuple[Problem, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """The sentences."""
        return tuple(problem.sentence for problem in self.found)

    @property
    def ok(self) -> bool:
        """Whether nothing needs a person."""
        return not self.found


def watch(now: datetime | None = None) -> Watch:
    """Look for what is overdue, past its target, blocked beyond its deadline, failed, or unreported (D3, D12, D13)."""
    moment = now or clock.now()
    register = Register.open()
    overdue, late, last = register.overdue(moment), register.late(moment), register.last_sweep()
    known = {holding.id for holding in overdue}
    found = [Problem("breach", _overdue(holding, moment)) for holding in overdue]
    found += [Problem("past_target", _late(holding)) for holding in late if holding.id not in known]
    if last is None:
        found.append(Problem("silent_sweep", "no sweep has ever reported"))
    elif moment - last.reported_at > patience():
        said = f"the last sweep reported {last.reported_at:%Y-%m-%d %H:%M} UTC, more than {clock.span(patience())} ago"
        found.append(Problem("silent_sweep", said))
    elif last.failed:
        found.append(Problem("sweep_failed", f"the last sweep could not destroy {last.failed} of {last.due} due"))
    return Watch(moment, len(overdue), len(late), last.reported_at if last else None, tuple(found))


def patience() -> timedelta:
    """How long the sweep may be silent: its interval and half of its margin, so that the other half is left to act in.

    What falls due later than the margin after a sweep that never ran is destroyed by nobody but a person (D6).
    """
    timing = policy.load().sweep
    return timedelta(hours=timing.every_hours) + timedelta(hours=timing.margin_hours) / 2


def watch_and_tell() -> Watch:
    """Look, raise an alert for whatever was found, and send what earlier alerts could not be delivered.

    The incidents of the last day go with it, for the machine that noted them may have no way out. An unreachable
    register is an alert too; then raises DependencyUnreachable.
    """
    try:
        seen = watch()
        noted = Register.open().incidents(seen.now - timedelta(days=1))
    except DependencyUnreachable as error:
        alerts.raise_alert("unreachable", f"the watchdog cannot see anything: {error}")
        raise
    for problem in seen.found:
        alerts.keep(problem.kind, problem.sentence)
    for incident in noted:
        alerts.keep(incident.kind, incident.sentence, at=incident.at)
    alerts.deliver()
    return seen


def _overdue(holding: Holding, moment: datetime) -> str:
    said = (
        f"{holding.id} ({holding.dataset_class} at {holding.store}) is past its legal deadline "
        f"{holding.legal:%Y-%m-%d %H:%M} UTC, rule {holding.rule}"
    )
    if holds.blocks(holding, moment):
        said += f"; blocked by a legal hold of {holding.hold_authority} until {holding.hold_until:%Y-%m-%d %H:%M} UTC"
        said += ", which the notice does not allow for (D12)"
    return said


def _late(holding: Holding) -> str:
    return (
        f"{holding.id} ({holding.dataset_class} at {holding.store}) is past its target "
        f"{holding.target:%Y-%m-%d %H:%M} UTC; the sweep should have destroyed it"
    )
