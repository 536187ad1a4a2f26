"""The daily sweep: destroy whatever falls due before the next one, and say so in plain English (D6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from linkage import clock, policy
from linkage.clock import LONDON
from linkage.custody import faults, holds
from linkage.custody.destruction import chain as destruction
from linkage.custody.destruction.chain import Outcome
from linkage.custody.destruction.vacuum import vacuum
from linkage.custody.destruction.verification import london_date
from linkage.custody.evidence import ledger
from linkage.custody.keys import snapshots
from linkage.custody.models import Holding, SweepRow
from linkage.custody.overview.words import why_then
from linkage.custody.register import Register
from linkage.custody.watch import alerts
from linkage.errors import DependencyUnreachable, LinkageError

_CLOCK_SKEW = timedelta(minutes=5)
Tell = Callable[[str], None]


@dataclass
class SweepReport:
    """What a sweep did: one English sentence for each holding in `lines`, the counts, and what needs a person."""

    as_of: datetime
    horizon: datetime
    dry_run: bool
    due: int
    lines: list[str] = field(default_factory=list)
    certificates: list[str] = field(default_factory=list)
    keys_destroyed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    unreachable: bool = False
    clock_went_back: bool = False
    tell: Tell = field(default=lambda _: None, repr=False)

    def say(self, line: str) -> None:
        """Keep a sentence, and tell it at once: a run that dies half-way has told what it did."""
        self.lines.append(line)
        self.tell(line)

    @property
    def destroyed(self) -> int:
        """How many holdings were destroyed, verified and certified."""
        return len(self.certificates)

    @property
    def incidents(self) -> list[str]:
        """What a person must look at: what could not be destroyed, and what is blocked beyond its deadline."""
        return [*self.failed, *(one for one in self.blocked if one in self.breaches)]

    @property
    def ok(self) -> bool:
        """Nothing failed, nothing is blocked beyond its legal deadline or was destroyed too late, and time goes on."""
        return not (self.failed or self.breaches or self.clock_went_back)

    def told(self) -> dict[str, Any]:
        """As plain JSON."""
        plain = {name: value for name, value in asdict(self).items() if name != "tell"}
        counts = {"destroyed": self.destroyed, "incidents": self.incidents, "ok": self.ok}
        return {**plain, **counts, "as_of": self.as_of.isoformat(), "horizon": self.horizon.isoformat()}


def sweep(
    as_of: datetime | None = None,
    stores: Sequence[str] | None = None,
    dry_run: bool = False,
    operator: str = "daily sweep",
    tell: Tell = lambda _: None,
) -> SweepReport:
    """Destroy, verify and certify everything due before the next sweep plus the margin (D6, D7).

    The instant is the later of the clock and `as_of`: no backfill can postpone a destruction. Nor can a clock that
    went back: then it is that of the last sweep, and the report says that a person must look. A holding that cannot
    be destroyed does not keep the others. Reports even when nothing is due (D13). Raises DependencyUnreachable only
    when the register itself cannot be reached.
    """
    register = Register.open()
    instant, behind = _instant(register, as_of)
    timing = policy.load().sweep
    horizon = instant + timedelta(hours=timing.every_hours + timing.margin_hours)
    due = register.due(horizon, stores)
    report = SweepReport(instant, horizon, dry_run, len(due), tell=tell)
    if dry_run:
        report.say(
            f"Rehearsal for {instant.astimezone(LONDON):%Y-%m-%d %H:%M}, as if no sweep ran before. Nothing is changed."
        )
    if behind:
        _say_clock_went_back(register, report, behind)
    # A hold is judged by the real clock: only a rehearsal looks at it as it will be on its day (D12).
    free = [holding for holding in due if not holds.blocks(holding, instant if dry_run else clock.now())]
    for holding in due:
        _flag(report, holding, instant)
        if holding not in free:
            report.blocked.append(holding.id)
            report.say(_blocked(holding, instant))
    if dry_run:
        for holding in free:
            report.say(_sentence(holding, instant, "would be destroyed"))
    else:
        _run(register, report, free, stores, operator)
    report.say(_closing(report))
    if not dry_run:
        faults.reach("before_report")
        _report(register, report, stores)
        _tell_people(report)
    return report


def _tell_people(report: SweepReport) -> None:
    """Each breach as an alert, and with them the incidents of this run, which wait to be delivered (D12, D13)."""
    breaches = set(report.breaches)
    alerts.raise_alert("breach", *(line for line in report.lines if line.split(":", 1)[0] in breaches))


def _instant(register: Register, as_of: datetime | None) -> tuple[datetime, timedelta]:
    """From when to look, and how far the clock is behind the last sweep's report."""
    now, last = clock.now(), register.last_sweep()
    moments = [now, *([as_of] if as_of else []), *([last.reported_at] if last else [])]
    behind = last.reported_at - now if last else timedelta(0)
    return max(moments), behind if behind > _CLOCK_SKEW else timedelta(0)


def _say_clock_went_back(register: Register, report: SweepReport, behind: timedelta) -> None:
    told = f"The clock is {clock.span(behind)} behind the last sweep: it went back; nothing waits for it, but set it right (D6)."
    report.clock_went_back = True
    report.say(told)
    if not report.dry_run:
        register.incident("clock_went_back", f"{report.as_of:%Y-%m-%d}", told)


def _run(
    register: Register,
    report: SweepReport,
    free: Sequence[Holding],
    stores: Sequence[str] | None,
    operator: str,
) -> None:
    reason = "its deadline falls before the next sweep"
    removed = snapshots.expire(report.horizon)
    for one in removed:
        report.say(f"Snapshot {one} of the key service was removed: its time is over.")
    for outcome in destruction.destroy_all(free, reason, report.horizon, operator):
        _note(report, outcome)
    faults.reach("before_leftover_keys")
    _leftover_keys(register, report, stores)
    faults.reach("before_vacuum")
    for told in vacuum(deleted=bool(free)):
        report.say(told)
        register.incident("vacuum_incomplete", f"{report.as_of:%Y-%m-%d}", told)
    faults.reach("after_vacuum")


def _note(report: SweepReport, outcome: Outcome) -> None:
    holding = outcome.holding
    if outcome.certificate is None:
        report.failed.append(holding.id)
        report.say(_sentence(holding, report.as_of, f"is NOT destroyed yet ({outcome.error})"))
        if outcome.unreachable:
            report.unreachable = True
        return
    if outcome.elsewhere:
        report.elsewhere.append(holding.id)
        said = "was destroyed and verified meanwhile by another run"
        report.say(_sentence(holding, report.as_of, said) + f" Certificate {outcome.certificate}.")
        return
    report.certificates.append(outcome.certificate)
    said = "was destroyed and its destruction verified"
    report.say(_sentence(holding, report.as_of, said) + f" Certificate {outcome.certificate}.")


def _leftover_keys(register: Register, report: SweepReport, stores: Sequence[str] | None) -> None:
    """Destroy the keys whose date has come and under which nothing lives any more: also those of lost transfers."""
    last = london_date(report.horizon)
    for key in register.keys(destroyed=False):
        if key.due_on is None or key.due_on > last or (stores is not None and key.store not in stores):
            continue
        try:
            if destruction.destroy_kek(register, key.name, key.store, report.horizon):
                report.keys_destroyed.append(key.name)
        except LinkageError as error:
            report.failed.append(key.name)
            report.say(f"Key {key.name} is NOT destroyed yet ({error}).")
            report.unreachable = report.unreachable or isinstance(error, DependencyUnreachable)


def _flag(report: SweepReport, holding: Holding, instant: datetime) -> None:
    if holding.state == "destroyed":
        return
    if holding.legal is not None and holding.legal <= instant:
        report.breaches.append(holding.id)
    elif holding.target is not None and holding.target <= instant:
        report.late.append(holding.id)


def _sentence(holding: Holding, instant: datetime, said: str) -> str:
    place = f"{holding.dataset_class} ({holding.label})" if holding.label else holding.dataset_class
    if holding.legal is None:
        return f"{holding.id}: {place} at {holding.store} {said}; rule {holding.rule}."
    legal = holding.legal.astimezone(LONDON)
    return (
        f"{holding.id}: {place} at {holding.store} {said}: rule {holding.rule} ({why_then(holding)}), received "
        f"{holding.received_at.astimezone(LONDON):%Y-%m-%d}, to be gone before {legal:%Y-%m-%d %H:%M}; "
        f"{_distance(holding.legal - instant)}."
    )


def _distance(left: timedelta) -> str:
    return f"{clock.span(left)} early" if left > timedelta(0) else f"{clock.span(left)} LATE, a breach"


def _blocked(holding: Holding, instant: datetime) -> str:
    until = f"{holding.hold_until:%Y-%m-%d}" if holding.hold_until else "?"
    return _sentence(holding, instant, f"is BLOCKED by a legal hold of {holding.hold_authority} until {until}")


def _closing(report: SweepReport) -> str:
    verb = "would be destroyed" if report.dry_run else "destroyed and certified"
    number = report.due - len(report.blocked) if report.dry_run else report.destroyed
    return (
        f"{report.due} due before {report.horizon.astimezone(LONDON):%Y-%m-%d %H:%M}: {number} {verb}, "
        f"{len(report.failed)} failed, {len(report.blocked)} blocked, {len(report.late)} past target, "
        f"{len(report.breaches)} in breach."
    )


def _report(register: Register, report: SweepReport, stores: Sequence[str] | None) -> None:
    """The sweep's own row, which the watchdog waits for, and its ledger entry under a fresh checkpoint (D11, D13)."""
    numbers = {
        "due": report.due,
        "destroyed": report.destroyed,
        "failed": len(report.failed),
        "blocked": len(report.blocked),
    }
    with register.transaction() as session:
        session.add(
            SweepRow(
                as_of=report.as_of,
                reported_at=clock.now(),
                horizon=report.horizon,
                stores=",".join(stores) if stores else "all",
                **numbers,
            )
        )
        facts = {**numbers, "as_of": report.as_of.isoformat(), "keys": report.keys_destroyed}
        ledger.append(session, "sweep", {**facts, "late": len(report.late), "breaches": len(report.breaches)})
        faults.reach("report_written")
    faults.reach("after_report")
    try:
        ledger.checkpoint()
    except DependencyUnreachable as error:
        report.say(f"The ledger's checkpoint did not reach its witness ({error}); the next sweep brings it.")
        report.unreachable = True
