"""The watchdog: outside Airflow, asks the register alone whether something is overdue or the sweep is silent (D13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from linkage import clock, policy
from linkage.custody import holds
from linkage.custody.register import Register


@dataclass(frozen=True, slots=True)
class Watch:
    """What the watchdog saw; `problems` are English sentences, empty when all is well."""

    now: datetime
    overdue: int
    late: int
    last_sweep: datetime | None
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing needs a person."""
        return not self.problems


def watch(now: datetime | None = None) -> Watch:
    """Look for what is overdue, past its target, blocked beyond its deadline, failed, or unreported (D3, D12, D13)."""
    moment = now or clock.now()
    register, timing = Register.open(), policy.load().sweep
    overdue, late, last = register.overdue(moment), register.late(moment), register.last_sweep()
    problems = [
        f"{holding.id} ({holding.dataset_class} at {holding.store}) is past its legal deadline "
        f"{holding.legal:%Y-%m-%d %H:%M} UTC, rule {holding.rule}"
        + (f"; blocked by a legal hold of {holding.hold_authority}" if holds.blocks(holding, moment) else "")
        for holding in overdue
    ]
    known = {holding.id for holding in overdue}
    problems += [
        f"{holding.id} ({holding.dataset_class} at {holding.store}) is past its target "
        f"{holding.target:%Y-%m-%d %H:%M} UTC; the sweep should have destroyed it"
        for holding in late
        if holding.id not in known
    ]
    allowed = timedelta(hours=timing.every_hours + timing.margin_hours)
    if last is None:
        problems.append("no sweep has ever reported")
    elif moment - last.reported_at > allowed:
        problems.append(f"the last sweep reported {last.reported_at:%Y-%m-%d %H:%M} UTC, longer ago than {allowed}")
    elif last.failed:
        problems.append(f"the last sweep could not destroy {last.failed} of {last.due} due")
    return Watch(moment, len(overdue), len(late), last.reported_at if last else None, tuple(problems))
