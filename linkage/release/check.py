"""The release gate: may this table go out as it stands, and if not, which version of it may? (N16, R1 to R4)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from linkage.errors import Misuse
from linkage.release import differencing, disclosure, findings, rules, shape
from linkage.release.findings import Finding
from linkage.release.intervals import Contradiction
from linkage.release.lattice import Grid, Key, level
from linkage.release.rules import MEASURES, OUTCOME, ReleasePolicy
from linkage.release.tables import LARGEST, ReleaseSpec, Table


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
    found = shape.check_shape(frame, named, told)
    if found:
        return Verdict("fail", tuple(found), None)
    grid = shape.read_grid(frame, named, told)
    past = [_read_earlier(one, told) for one in earlier]
    marked = bool(grid.hidden) or _looks_protected(grid, frame, told)
    if marked:
        found = _audit(grid, frame, past, told)
        return Verdict("fail" if found else "pass", tuple(found), None if found else to_frame(grid, told))
    found = _check_true_totals(grid, told)
    if found:
        return Verdict("fail", tuple(found), None)
    made = disclosure.protect(grid, shape.largest_families(frame, named, told), past, told)
    reasons = sorted(made.reasons.items(), key=lambda item: (level(item[0]), str(item[0])))
    found = [
        findings.at(grid.lattice, key, disclosure.RULE[reason], reason, told.total)
        for key, reason in reasons
        if level(key) == 0 or reason != disclosure.BELOW
    ]
    return Verdict("fail" if found else "pass", tuple(found), to_frame(made.grid, told))


def settle(table: Table, earlier: Sequence[Table] = (), policy: ReleasePolicy | None = None) -> Verdict:
    """Protect a table of true counts, then check what would go out: the verdict to release by.

    `pass` means that `protected` may be put before the approvers (R5) and nothing else may. Fails when the table has
    no version that may go out, or shows nothing once protected.
    """
    first = check_release(table, None, earlier, policy)
    if first.protected is None:
        return first
    second = check_release(Table(table.spec, first.protected), None, earlier, policy)
    if second.passed and not (first.protected["individuals"].str.contains(r"^\d+$")).any():
        return Verdict("fail", (Finding("R2", "nothing_left_to_show"),), None)
    return second


def settle_all(
    tables: Sequence[Table], earlier: Sequence[Table] = (), policy: ReleasePolicy | None = None
) -> list[Verdict]:
    """`settle` for tables that are to go out together: each is attacked jointly with those before it (R3)."""
    out: list[Verdict] = []
    together = list(earlier)
    for table in tables:
        verdict = settle(table, together, policy)
        out.append(verdict)
        if verdict.passed and verdict.protected is not None:
            together.append(Table(table.spec, verdict.protected))
    return out


def to_frame(grid: Grid, policy: ReleasePolicy) -> pl.DataFrame:
    """The protected table as text: totals under the policy's label, hidden cells marked, rates from what is shown."""
    rows = []
    for key in grid.lattice.cells():
        row: dict[str, str] = {
            name: policy.total if part is None else part
            for name, part in zip(grid.lattice.dimensions, key, strict=True)
        }
        for measure in MEASURES:
            value = grid.shown[measure].get(key)
            marked = policy.hidden_mark if key in grid.hidden else policy.not_additive_mark
            row[measure] = marked if key in grid.hidden or value is None else str(value)
        if OUTCOME in grid.lattice.dimensions:
            row[shape.RATE] = _rate(grid, key, policy)
        rows.append(row)
    columns = [*grid.lattice.dimensions, *MEASURES]
    columns += [shape.RATE] if OUTCOME in grid.lattice.dimensions else []
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))


def _rate(grid: Grid, key: Key, policy: ReleasePolicy) -> str:
    """The share with the outcome among those of whom it is known, from shown counts only (R2); else empty."""
    number = grid.lattice.dimensions.index(OUTCOME)
    parts = policy.dimensions[OUTCOME].rate
    if not parts or key[number] != parts[0]:
        return ""
    values = [grid.value((*key[:number], part, *key[number + 1 :])) for part in parts]
    shown = [value for value in values if value is not None]
    if len(shown) < len(parts) or not sum(shown):
        return policy.hidden_mark
    return f"{shown[0] / sum(shown):.2f}"


def _unpack(table: Table | pl.DataFrame, spec: ReleaseSpec | None) -> tuple[pl.DataFrame, ReleaseSpec]:
    if isinstance(table, Table):
        return table.frame, spec or table.spec
    if spec is None:
        raise Misuse("a table needs a spec that says what it is")
    return table, spec


def _read_earlier(table: Table, policy: ReleasePolicy) -> Grid:
    if shape.check_shape(table.frame, table.spec, policy):
        raise Misuse("an earlier release is not a table of its declared shape; the comparison would mean nothing (R4)")
    return shape.read_grid(table.frame, table.spec, policy)


def _looks_protected(grid: Grid, frame: pl.DataFrame, policy: ReleasePolicy) -> bool:
    """A protected table in which nothing had to be hidden: every total given, every count rounded, no zero."""
    if LARGEST in frame.columns:
        return False
    for measure in MEASURES:
        for key in grid.lattice.cells(measure):
            value = grid.shown[measure].get(key)
            if value is None or value % policy.rounding_base or value < policy.threshold:
                return False
    return True


def _check_true_totals(grid: Grid, policy: ReleasePolicy) -> list[Finding]:
    """Totals given beside true counts must be their sums: otherwise somebody is counted who is in no cell."""
    found = _check_undeclared_totals(grid, policy)
    for measure in MEASURES:
        counts = {key: grid.shown[measure][key] or 0 for key in grid.lattice.interior}
        for key in grid.lattice.cells(measure):
            given = grid.shown[measure].get(key)
            if level(key) and given is not None and given != grid.lattice.total(counts, key, measure):
                found.append(findings.at(grid.lattice, key, "R2", "total_is_not_the_sum", policy.total))
    return found


def _check_undeclared_totals(grid: Grid, policy: ReleasePolicy) -> list[Finding]:
    """A total over a single category, or of families over a dimension in which they repeat, has no place."""
    found = []
    for measure in MEASURES:
        own = set(grid.lattice.cells(measure))
        for key, value in grid.shown[measure].items():
            if key not in own and (value is not None or key not in grid.lattice.cells()):
                found.append(findings.at(grid.lattice, key, "R2", "total_not_declared", policy.total))
    return found


def _audit(grid: Grid, frame: pl.DataFrame, earlier: Sequence[Grid], policy: ReleasePolicy) -> list[Finding]:
    """Everything that speaks against publishing a protected table exactly as it is."""
    found = _check_undeclared_totals(grid, policy) + _check_shown(grid, frame, policy)
    if found:
        return found
    lattice = grid.lattice
    for reason, keys in (
        (disclosure.DIFFERENCE, differencing.small_differences(grid, earlier, policy)),
        (disclosure.BEFORE, differencing.hidden_before(grid, earlier) - grid.hidden),
    ):
        found += [findings.at(lattice, key, "R4", reason, policy.total) for key in sorted(keys, key=str)]
    same = differencing.of_one_population(grid, earlier)
    try:
        narrow = disclosure.recoverable(grid, same, policy)
    except Contradiction:
        return [*found, Finding("R2", "totals_contradict_the_counts")]
    for number, _, key in narrow:
        owner = grid if number == -1 else same[number]
        finding = findings.at(owner.lattice, key, "R3", disclosure.RECOVERABLE, policy.total)
        if finding not in found:
            found.append(finding)
    return found


def _check_shown(grid: Grid, frame: pl.DataFrame, policy: ReleasePolicy) -> list[Finding]:
    """Shown counts of a protected table: every cell there, at or above the threshold, rounded, rates derived."""
    found: list[Finding] = []
    for measure in MEASURES:
        for key in grid.lattice.cells(measure):
            if key in grid.hidden:
                continue
            value = grid.shown[measure].get(key)
            reason = "not_shown_and_not_hidden" if value is None else ""
            if value is not None and value < policy.threshold:
                reason = disclosure.BELOW
            elif value is not None and value % policy.rounding_base:
                reason = "not_rounded"
            if reason:
                found.append(findings.at(grid.lattice, key, "R2", reason, policy.total))
    if LARGEST in frame.columns:
        found.append(Finding("R2", "extreme", column=LARGEST))
    if not found and shape.RATE in frame.columns:
        found += _check_rates(grid, frame, policy)
    return found


def _check_rates(grid: Grid, frame: pl.DataFrame, policy: ReleasePolicy) -> list[Finding]:
    if OUTCOME not in grid.lattice.dimensions:
        return [Finding("R1", "column_not_declared", column=shape.RATE)]
    dimensions = list(grid.lattice.dimensions)
    derived = to_frame(grid, policy).select(*dimensions, pl.col(shape.RATE).alias("derived"))
    compared = (
        frame.with_row_index("row no", offset=1)
        .with_columns(pl.col(*dimensions, shape.RATE).cast(pl.String))
        .join(derived, on=dimensions, how="left")
        .filter(pl.col(shape.RATE).fill_null("") != pl.col("derived").fill_null(""))
    )
    return [Finding("R2", "rate_not_derived", row=row, column=shape.RATE) for row in compared["row no"]]
