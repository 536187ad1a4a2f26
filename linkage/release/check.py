"""The release gate: may this table go out as it stands, and if not, which version of it may? (N16, R1 to R4)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from linkage.errors import Misuse
from linkage.release import audit, disclosure, findings, rules, shape
from linkage.release.disclosure import Protected
from linkage.release.findings import Finding
from linkage.release.proof import Known
from linkage.release.render import to_frame
from linkage.release.rules import PEOPLE, ReleasePolicy
from linkage.release.tables import ReleaseSpec, Table


@dataclass(frozen=True)
class Verdict:
    """`pass` when nothing in the table as given needs hiding. `protected` is the version that may go out.

    For a table of true counts `protected` is it hidden, rounded and totalled, whatever the verdict; for a table that
    is protected already it is the table itself when it passes. None when the table has no version that may go out.
    """

    verdict: Literal["pass", "fail"]
    findings: tuple[Finding, ...]
    protected: pl.DataFrame | None

    @property
    def passed(self) -> bool:
        """Whether the verdict is `pass`."""
        return self.verdict == "pass"

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the verdict, the findings and the protected table's rows."""
        rows = None if self.protected is None else self.protected.to_dicts()
        told = [finding.as_dict() for finding in self.findings]
        return {"verdict": self.verdict, "findings": told, "protected": rows}


def check_release(
    table: Table | pl.DataFrame,
    spec: ReleaseSpec | None = None,
    earlier: Sequence[Table] = (),
    policy: ReleasePolicy | None = None,
) -> Verdict:
    """The verdict on `table` as it stands, what was found (never a hidden count), and the version that may go out.

    A table with hidden cells in it is audited as the outsider sees it; one without is taken for true counts and
    protected. `earlier` are protected tables already released, or about to be released together with this one:
    those with the same `population` are attacked jointly (R3), those of the same shape are differenced (R4).
    """
    told = policy or rules.load()
    frame, named = _unpack(table, spec)
    return _check(Table(named, frame), [_read_earlier(one, told) for one in earlier], told)[0]


def settle(table: Table, earlier: Sequence[Table] = (), policy: ReleasePolicy | None = None) -> Verdict:
    """Protect a table of true counts, then check what would go out: the verdict to release by.

    `pass` means that `protected` may be put before the approvers (R5) and nothing else may. Fails when the table has
    no version that may go out, or shows nothing once protected.
    """
    return settle_all([table], earlier, policy)[0]


def settle_all(
    tables: Sequence[Table], earlier: Sequence[Table] = (), policy: ReleasePolicy | None = None
) -> list[Verdict]:
    """`settle` for tables that are to go out together: each is attacked jointly with those before it (R3)."""
    told = policy or rules.load()
    together = [_read_earlier(one, told) for one in earlier]
    out: list[Verdict] = []
    for table in tables:
        verdict, known = _settle(table, together, told)
        out.append(verdict)
        if verdict.passed and known is not None:
            together.append(known)
    return out


def _settle(table: Table, earlier: Sequence[Known], policy: ReleasePolicy) -> tuple[Verdict, Known | None]:
    """The verdict, and the table as it would go out with the true counts known here, which spare the proof work."""
    first, made = _check(table, earlier, policy)
    if first.protected is None or made is None:
        return first, made
    seen, found = shape.read_grid(first.protected, table.spec, policy)
    known = Known(seen, made.counts)
    found = found or audit.audit(known, first.protected, earlier, policy)
    if found:
        return Verdict("fail", tuple(found), None), None
    if not first.protected[PEOPLE].str.contains(r"^\d+$").any():
        return Verdict("fail", (Finding("R2", "nothing_left_to_show"),), None), None
    return Verdict("pass", (), first.protected), known


def _check(table: Table, earlier: Sequence[Known], policy: ReleasePolicy) -> tuple[Verdict, Known | None]:
    frame = table.frame
    found = shape.check_shape(frame, table.spec, policy)
    if found:
        return Verdict("fail", tuple(found), None), None
    grid, found = shape.read_grid(frame, table.spec, policy)
    if grid.hidden.any() or audit.looks_protected(grid, frame, policy):
        known = Known(grid)
        found = found or audit.audit(known, frame, earlier, policy)
        return Verdict("fail" if found else "pass", tuple(found), None if found else to_frame(grid, policy)), known
    found += audit.check_true_totals(grid)
    if found:
        return Verdict("fail", tuple(found), None), None
    counts = audit.true_counts(grid)
    made = disclosure.protect(grid, counts, shape.contributions(frame, grid), earlier, policy)
    return _verdict(made, policy), Known(made.grid, counts)


def _verdict(made: Protected, policy: ReleasePolicy) -> Verdict:
    """A total that is too small follows from the cells under it and is not told apart from them."""
    lattice = made.grid.lattice
    found = []
    for reason, cells in made.reasons.items():
        told = cells & (lattice.level == 0) if reason == disclosure.BELOW else cells
        found += findings.at_all(lattice, told, disclosure.RULE[reason], reason)
    return Verdict("fail" if found else "pass", tuple(found), to_frame(made.grid, policy))


def _unpack(table: Table | pl.DataFrame, spec: ReleaseSpec | None) -> tuple[pl.DataFrame, ReleaseSpec]:
    if isinstance(table, Table):
        return table.frame, spec or table.spec
    if spec is None:
        raise Misuse("a table needs a spec that says what it is")
    return table, spec


def _read_earlier(table: Table, policy: ReleasePolicy) -> Known:
    if shape.check_shape(table.frame, table.spec, policy):
        raise Misuse("an earlier release is not a table of its declared shape; the comparison would mean nothing (R4)")
    return Known(shape.read_grid(table.frame, table.spec, policy)[0])
