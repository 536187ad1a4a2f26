"""A programme in force: may this flow happen, when must this be destroyed, who may hold it. Deny by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from linkage.clock import LONDON
from linkage.errors import FlowRefused, Misuse
from linkage.policy import deadlines
from linkage.policy.deadlines import Deadline
from linkage.policy.schema import DatasetClass, Flow, ProgrammeFile, Sweep, Wave

AUTHORITY = "authority"
"""The store of the programme's own authority; in flows and dataset classes it stands for every authority's."""


@dataclass(frozen=True, slots=True)
class PermittedFlow:
    """A flow the programme allows, by its name in the file."""

    id: str
    lawful_basis: str
    recipient: str
    via: str | None
    token_kinds: tuple[str, ...]


@dataclass(frozen=True)
class Programme:
    """A loaded and cross-checked programme file; `columns_of` holds the exact return schemas (N7)."""

    file: ProgrammeFile
    columns_of: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The programme's short name, as it appears in the register."""
        return self.file.programme.name

    @property
    def sweep(self) -> Sweep:
        """How often destruction runs, and how far ahead it looks (D6)."""
        return self.file.sweep

    @property
    def stores(self) -> dict[str, str]:
        """Store name to holder."""
        return {name: store.holder for name, store in self.file.store.items()}

    @property
    def authorities(self) -> dict[str, str]:
        """Every authority of the programme by name, with its store; the programme's own comes first."""
        further = {name: one.store for name, one in self.file.authority.items()}
        return {self.file.programme.authority: AUTHORITY, **further}

    def store_of(self, authority: str) -> str:
        """The store of an authority, by its name. Raises Misuse when the programme does not know it."""
        try:
            return self.authorities[authority or self.file.programme.authority]
        except KeyError:
            raise Misuse(f"the programme {self.name} knows no authority of that name") from None

    def dataset(self, name: str) -> DatasetClass:
        """The class of data called `name`; FlowRefused (D5) when the file does not know it."""
        try:
            return self.file.dataset[name]
        except KeyError:
            raise FlowRefused("D5", f"no destruction rule for the dataset class '{name}'") from None

    def may_hold(self, store: str, dataset_class: str) -> None:
        """Refuse (N13) a class of data in a store that is not named for it."""
        if self._kind(store) not in self.dataset(dataset_class).stores:
            raise FlowRefused("N13", f"'{dataset_class}' may not lie in the store '{store}'")

    def is_open(self, at: datetime) -> bool:
        """Whether the programme takes anything in at that instant (D3)."""
        day = at.astimezone(LONDON).date()
        return self.file.programme.opens <= day < self.file.programme.closes

    def require_open(self, at: datetime) -> None:
        """Refuse (D3) whatever comes to a programme that has closed or not yet opened."""
        if self.is_open(at):
            return
        head = self.file.programme
        day = at.astimezone(LONDON).date()
        state = f"closed on {head.closes}" if day >= head.closes else f"opens on {head.opens}"
        raise FlowRefused("D3", f"programme {head.name} {state}; nothing is taken in for it on {day}")

    def study_window(self, wave: str) -> tuple[date, date]:
        """First and last day of what a wave's returns speak of. Raises Misuse for a wave the programme does not know."""
        return self.wave(wave).study_window or self.file.programme.study_window

    def authorities_of(self, wave: str) -> list[str]:
        """The authorities that take part in a wave, by name. Raises Misuse as `wave`."""
        return self.wave(wave).authorities or list(self.authorities)

    def wave(self, name: str) -> Wave:
        """The wave of that name. Raises Misuse when the programme does not know it."""
        for known in self.file.wave:
            if known.name == name:
                return known
        raise Misuse(f"the programme has no wave '{name}'")

    def variables(self, department: str) -> tuple[str, ...]:
        """The columns of a department's return that this programme asks for, `ref` first (N3, N7)."""
        asked = [flow for flow in self.file.flow.values() if flow.columns_of == department]
        return self.flow_columns(asked[0]) if asked else self.columns_of[department]

    def wave_due(self, day: date) -> Wave | None:
        """The latest wave whose day has come, or None (N8)."""
        due = [wave for wave in self.file.wave if wave.submit_on <= day]
        return max(due, key=lambda wave: wave.submit_on) if due else None

    def require_flow(
        self, sender: str, recipient: str, dataset_class: str, columns: Sequence[str], at: datetime
    ) -> PermittedFlow:
        """The flow that allows these columns to travel, or FlowRefused.

        Rules: N14 (nothing back to the authority), N17 (a basis), N3 (only listed columns), D3 (programme open).
        """
        if self._kind(recipient) == AUTHORITY and self._kind(sender) != AUTHORITY:
            raise FlowRefused("N14", f"nothing is shared back with the local authority (from '{sender}')")
        match = self._flow_between(sender, recipient, dataset_class)
        if match is None:
            raise FlowRefused(
                "N17", f"no flow with a lawful basis takes '{dataset_class}' from '{sender}' to '{recipient}'"
            )
        name, flow = match
        self.require_open(at)
        allowed = self.flow_columns(flow)
        surplus = [] if allowed == ("*",) else [column for column in columns if column not in allowed]
        if surplus:
            raise FlowRefused("N3", f"the flow '{name}' does not allow the columns {', '.join(sorted(surplus))}")
        return PermittedFlow(name, flow.basis, flow.recipient, flow.via, tuple(flow.token_kinds))

    def flow_columns(self, flow: Flow) -> tuple[str, ...]:
        """The columns a flow may carry, from the file or from the department's return schema, as far as it is asked for."""
        if flow.columns is not None:
            return tuple(flow.columns)
        widest = self.columns_of[flow.columns_of or ""]
        return widest if flow.variables is None else tuple(c for c in widest if c == "ref" or c in flow.variables)

    def deadline(self, dataset_class: str, received_at: datetime, parents: Sequence[Deadline] = ()) -> Deadline:
        """When data of this class, first received then, must be gone (D1 to D4); the earliest parent counts.

        Raises FlowRefused (D5) for a class without a destruction rule.
        """
        name = self.dataset(dataset_class).retention
        own = self._own(name, received_at)
        if self.reclassifies(dataset_class):
            return own
        return deadlines.earliest(own, [*parents, *self._programme_cap(dataset_class)])

    def reclassifies(self, dataset_class: str) -> bool:
        """Whether a named rule lets this class outlive its sources: D4's only way out."""
        return self.file.retention[self.dataset(dataset_class).retention].reclassified_by is not None

    def _programme_cap(self, dataset_class: str) -> list[Deadline]:
        if not self.dataset(dataset_class).within_programme:
            return []
        return [self._own("programme", datetime.min.replace(tzinfo=LONDON))]

    def superseded_deadline(self, dataset_class: str, superseded_at: datetime, current: Deadline) -> Deadline:
        """The deadline of a list once its successor exists: `days` from then, never later than before (D16)."""
        name = self.dataset(dataset_class).retention
        rule = self.file.retention[name]
        if rule.kind != "superseded":
            return current
        return deadlines.earliest(current, [deadlines.days(superseded_at, rule.days or 0, name)])

    def rule_deadline(self, rule: str, received_at: datetime) -> Deadline:
        """The deadline by a retention rule's name (`one_month`, `programme`), for the calculator."""
        if rule not in self.file.retention:
            raise FlowRefused("D5", f"no retention rule is called '{rule}'")
        return self._own(rule, received_at)

    def _own(self, name: str, received_at: datetime) -> Deadline:
        rule = self.file.retention[name]
        match rule.kind:
            case "one_month":
                return deadlines.one_month(received_at, rule.target_days or 28, name)
            case "programme":
                return deadlines.programme_end(self.file.programme.closes, rule.target_hours_before or 0, name)
            case "days":
                return deadlines.days(received_at, rule.days or 0, name)
            case "months":
                return deadlines.months(received_at, rule.months or 0, name)
            case "superseded":
                return deadlines.months(received_at, rule.at_most_months or 0, name)
        return Deadline(None, None, name)

    def _flow_between(self, sender: str, recipient: str, dataset_class: str) -> tuple[str, Flow] | None:
        route = (self._kind(sender), self._kind(recipient), dataset_class)
        for name, flow in self.file.flow.items():
            if (flow.sender, flow.recipient, flow.dataset) == route:
                return name, flow
        return None

    def _kind(self, store: str) -> str:
        """The store as flows and dataset classes name it: every authority's counts as `authority`."""
        return AUTHORITY if store in self.authorities.values() else store
