"""The release gate: what is refused, what is hidden, and that nobody can work out what was hidden (R1 to R4, N16)."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.errors import Misuse
from linkage.evaluation import families
from linkage.release import rules
from linkage.release.check import Verdict, check_release, settle, settle_all
from linkage.release.tables import ReleaseSpec, Table, authority_tables, count

STATUSES = ("assessed", "invited", "joined", "closed")
POLICY = rules.load()
BY_STATUS = ReleaseSpec("status", "authority_by_status", "wave-1")
BY_OUTCOME = ReleaseSpec("work", "authority_by_status_by_outcome", "wave-1", "employed")


def by_status(counts: dict[str, list[tuple[int, int]]], spec: ReleaseSpec = BY_STATUS) -> Table:
    rows = [
        {"authority": authority, "status": status, "individuals": people, "families": families}
        for authority, cells in counts.items()
        for status, (people, families) in zip(STATUSES, cells, strict=True)
    ]
    return Table(spec, pl.DataFrame(rows))


def by_outcome(counts: dict[str, tuple[int, int, int]], spec: ReleaseSpec = BY_OUTCOME) -> Table:
    rows = [
        {"authority": "lambeth", "status": status, "outcome": outcome, "individuals": people, "families": people // 2}
        for status, cells in counts.items()
        for outcome, people in zip(("yes", "no", "unknown"), cells, strict=True)
    ]
    return Table(spec, pl.DataFrame(rows))


SAFE = by_status({"lambeth": [(102, 41), (63, 27), (48, 18), (31, 12)]})
SMALL = by_status({"lambeth": [(102, 41), (63, 27), (48, 18), (3, 2)]})


def shown(verdict: Verdict, **cell: str) -> str:
    assert verdict.protected is not None
    return str(verdict.protected.filter(**cell)["individuals"].item())


def reasons(verdict: Verdict) -> set[tuple[str, str]]:
    return {(finding.rule, finding.reason) for finding in verdict.findings}


def test_a_table_of_large_counts_passes_and_leaves_rounded_with_totals_of_rounded_counts() -> None:
    """R2."""
    verdict = check_release(SAFE)
    assert verdict.passed
    assert shown(verdict, status="assessed") == "100"
    assert shown(verdict, status="Total") == "245", "100 + 65 + 50 + 30, not 244 rounded"


def test_a_small_count_fails_and_is_hidden_together_with_a_second_cell() -> None:
    """R2, R3, N16: one hidden cell in a row with a total would be the total less the rest."""
    verdict = check_release(SMALL)
    assert not verdict.passed
    assert ("R2", "below_threshold") in reasons(verdict)
    assert ("R3", "recoverable") in reasons(verdict)
    assert shown(verdict, status="closed") == "[c]"
    assert verdict.protected is not None
    assert (verdict.protected["individuals"] == "[c]").sum() >= 2


def test_the_protected_version_of_a_failed_table_passes() -> None:
    verdict = settle(SMALL)
    assert verdict.passed
    assert verdict.protected is not None
    assert verdict.protected.equals(check_release(SMALL).protected)


def test_few_families_hide_a_cell_however_many_people_they_are() -> None:
    """R2: families AND individuals."""
    verdict = check_release(by_status({"lambeth": [(102, 41), (63, 27), (48, 9), (31, 12)]}))
    assert shown(verdict, status="joined") == "[c]"


@pytest.mark.parametrize("count", [0, 1, 9])
def test_no_count_below_ten_is_shown_zero_included(count: int) -> None:
    verdict = check_release(by_status({"lambeth": [(102, 41), (63, 27), (48, 18), (count, count)]}))
    assert shown(verdict, status="closed") == "[c]"


def test_a_count_of_ten_is_shown() -> None:
    verdict = check_release(by_status({"lambeth": [(102, 41), (63, 27), (48, 18), (10, 10)]}))
    assert verdict.passed
    assert shown(verdict, status="closed") == "10"


def test_no_finding_says_what_it_hides() -> None:
    verdict = check_release(by_status({"lambeth": [(102, 41), (63, 27), (48, 18), (7, 7)]}))
    assert "7" not in json.dumps([finding.as_dict() for finding in verdict.findings])


def test_a_group_in_which_everybody_has_the_outcome_is_hidden() -> None:
    """R2: a 100 % cell tells of each member."""
    verdict = check_release(by_outcome({"joined": (60, 0, 40), "invited": (50, 60, 40)}))
    assert ("R2", "group_disclosure") in reasons(verdict)
    assert shown(verdict, status="joined", outcome="yes") == "[c]"


def test_a_cell_made_of_one_large_family_is_hidden() -> None:
    """R2, dominance."""
    frame = SAFE.frame.with_columns(largest_family=pl.Series([6, 5, 30, 4]))
    verdict = check_release(Table(BY_STATUS, frame))
    assert ("R2", "dominance") in reasons(verdict)
    assert shown(verdict, status="joined") == "[c]"
    assert verdict.protected is not None
    assert "largest_family" not in verdict.protected.columns


@pytest.mark.parametrize(
    ("largest", "second", "rule"),
    [(30, 1, "one family of more than half"), (23, 21, "two families of more than nine in ten"),
     (22, 25, "the second knows the first within ten percent")],
)  # fmt: skip
def test_few_families_that_make_up_a_cell_hide_it(largest: int, second: int, rule: str) -> None:
    """R2: (1,k), (2,k) and p-percent on people by family."""
    frame = SAFE.frame.with_columns(
        largest_family=pl.Series([6, 5, largest, 4]), second_family=pl.Series([5, 4, second, 3])
    )
    verdict = check_release(Table(BY_STATUS, frame))
    assert ("R2", "dominance") in reasons(verdict), rule
    assert shown(verdict, status="joined") == "[c]"


def test_many_families_of_about_the_same_size_hide_nothing() -> None:
    """R2: the families' sizes themselves never leave."""
    frame = SAFE.frame.with_columns(largest_family=pl.Series([6, 5, 5, 4]), second_family=pl.Series([6, 4, 5, 4]))
    verdict = check_release(Table(BY_STATUS, frame))
    assert verdict.passed
    assert verdict.protected is not None
    assert not {"largest_family", "second_family"} & set(verdict.protected.columns)


def test_rates_come_from_rounded_counts_and_only_where_both_are_shown() -> None:
    """R2."""
    verdict = check_release(by_outcome({"joined": (52, 63, 40), "invited": (50, 3, 40)}))
    assert verdict.protected is not None
    rates = {row["status"]: row["rate"] for row in verdict.protected.filter(outcome="yes").to_dicts()}
    assert rates["joined"] in {"0.43", "[c]"}, "50 / (50 + 65)"
    assert rates["invited"] == "[c]"


def test_families_are_not_summed_over_outcomes_in_which_they_repeat() -> None:
    verdict = check_release(by_outcome({"joined": (52, 63, 40), "invited": (50, 45, 40)}))
    assert verdict.protected is not None
    assert set(verdict.protected.filter(outcome="Total")["families"]) <= {"[x]", "[c]"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shape": "anything"}, "shape_not_declared"),
        ({"outcome": "employed"}, "outcome_not_declared"),
        ({"shape": "authority_by_status_by_outcome"}, "outcome_not_declared"),
    ],
)
def test_a_shape_nobody_declared_is_denied(change: dict[str, str], reason: str) -> None:
    """R1."""
    verdict = check_release(SAFE.frame, replace(BY_STATUS, **change))
    assert reasons(verdict) == {("R1", reason)}
    assert verdict.protected is None


@pytest.mark.parametrize("column", ["mean_age", "Quillonbrax", "nino"])
def test_a_column_nobody_declared_is_denied_without_repeating_its_name(column: str) -> None:
    verdict = check_release(SAFE.frame.with_columns(pl.lit("x").alias(column)), BY_STATUS)
    assert ("R1", "column_not_declared") in reasons(verdict)
    assert column not in json.dumps(verdict.as_dict())


def test_a_maximum_is_denied() -> None:
    """R2: minima and maxima belong to one person."""
    assert ("R2", "extreme") in reasons(check_release(SAFE.frame.with_columns(max_age=1), BY_STATUS))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("AB123456C", "nino"), ("ab 12 34 56 c", "nino"), ("SW2 1AA", "postcode"), ("943 476 5919", "nhs_number"),
        ("1980-02-03", "date"), ("a@b.org", "email"), ("ab" * 16, "reference"), ("A123456789012", "upn"),
    ],
)  # fmt: skip
def test_an_identifier_in_any_cell_is_found_and_not_repeated(value: str, kind: str) -> None:
    """R1."""
    frame = SAFE.frame.with_columns(
        status=pl.when(pl.int_range(pl.len()) == 2).then(pl.lit(f"joined {value}")).otherwise("status")
    )
    verdict = check_release(frame, BY_STATUS)
    assert ("R1", f"identifier_{kind}") in reasons(verdict)
    assert {finding.row for finding in verdict.findings if finding.reason == f"identifier_{kind}"} == {3}
    assert value not in json.dumps(verdict.as_dict())


def test_a_category_outside_the_list_is_denied() -> None:
    frame = SAFE.frame.with_columns(status=pl.lit("refused"), authority=pl.Series(["aa", "bbb", "ccc", "ddd"]))
    assert ("R1", "category_not_declared") in reasons(check_release(frame, BY_STATUS))


@pytest.mark.parametrize("value", ["-5", "10.5", "many", ""])
def test_a_count_must_be_a_count(value: str) -> None:
    frame = SAFE.frame.with_columns(individuals=pl.lit(value))
    assert ("R1", "not_a_count") in reasons(check_release(frame, BY_STATUS))


def test_too_many_rows_are_denied() -> None:
    verdict = check_release(SAFE, policy=replace(POLICY, rows=3))
    assert ("R1", "too_many_rows") in reasons(verdict)


def test_a_total_that_counts_somebody_in_no_cell_is_found() -> None:
    total = pl.DataFrame({"authority": ["lambeth"], "status": ["Total"], "individuals": [245], "families": [98]})
    right = pl.concat(
        [SAFE.frame, total.with_columns(individuals=pl.lit(244), families=pl.lit(98))], how="vertical_relaxed"
    )
    wrong = pl.concat([SAFE.frame, total], how="vertical_relaxed")
    assert check_release(right, BY_STATUS).passed
    assert ("R2", "total_is_not_the_sum") in reasons(check_release(wrong, BY_STATUS))


def unhide(verdict: Verdict, value: str, **cell: str) -> Table:
    """The protected table with one hidden cell filled in by a careless hand."""
    assert verdict.protected is not None
    here = pl.all_horizontal([pl.col(name) == part for name, part in cell.items()])
    filled = [
        pl.when(here).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name in ("individuals", "families")
    ]
    return Table(BY_STATUS, verdict.protected.with_columns(filled))


def test_a_table_with_a_single_hidden_cell_in_a_row_with_a_total_fails_as_recoverable() -> None:
    """R3, on a table somebody else protected."""
    verdict = check_release(SMALL)
    assert verdict.protected is not None
    second = verdict.protected.filter((pl.col("individuals") == "[c]") & (pl.col("status") != "closed"))[
        "status"
    ].item()
    assert second != "Total"  # which the careless hand could not have known by itself
    careless = unhide(verdict, "50" if second == "joined" else "65", status=second)
    assert not check_release(careless).passed


def test_an_unrounded_cell_in_a_protected_table_is_found() -> None:
    verdict = check_release(SMALL)
    assert verdict.protected is not None
    careless = verdict.protected.with_columns(individuals=pl.col("individuals").replace("100", "102"))
    assert ("R2", "not_rounded") in reasons(check_release(careless, BY_STATUS))


def test_a_rate_that_was_not_derived_from_the_shown_counts_is_found() -> None:
    table = by_outcome({"joined": (52, 63, 40), "invited": (50, 3, 40)})
    protected = check_release(table).protected
    assert protected is not None
    careless = protected.with_columns(rate=pl.when(pl.col("outcome") == "yes").then(pl.lit("0.4333")).otherwise("rate"))
    assert ("R2", "rate_not_derived") in reasons(check_release(careless, BY_OUTCOME))


def released(table: Table) -> Table:
    verdict = settle(table)
    assert verdict.protected is not None
    return Table(table.spec, verdict.protected)


def test_a_small_change_since_an_earlier_release_is_found_and_hidden() -> None:
    """R4: after one withdrawal, 48 becomes 47: 50 before, 45 now."""
    before = released(SAFE)
    now = by_status({"lambeth": [(102, 41), (63, 27), (47, 18), (31, 12)]})
    verdict = check_release(now, earlier=[before])
    assert ("R4", "small_difference") in reasons(verdict)
    assert shown(verdict, status="joined") == "[c]"
    assert shown(verdict, status="Total") == "[c]"
    assert settle(now, [before]).passed


def test_the_next_wave_is_differenced_too() -> None:
    """R4: same cell at another time."""
    now = by_status({"lambeth": [(107, 41), (63, 27), (48, 18), (31, 12)]}, replace(BY_STATUS, population="wave-2"))
    assert ("R4", "small_difference") in reasons(check_release(now, earlier=[released(SAFE)]))


def test_a_large_change_and_no_change_are_not_findings() -> None:
    later = replace(BY_STATUS, population="wave-2")
    grown = by_status({"lambeth": [(152, 61), (63, 27), (48, 18), (31, 12)]}, later)
    assert check_release(grown, earlier=[released(SAFE)]).passed
    assert check_release(SAFE, earlier=[released(SAFE)]).passed


def test_what_an_earlier_release_of_the_same_people_hid_stays_hidden() -> None:
    """R4: a re-run that hides other cells undoes the first release."""
    before = released(SMALL)
    hidden = before.frame.filter(pl.col("individuals") == "[c]")["status"].to_list()
    now = by_status({"lambeth": [(102, 41), (63, 27), (48, 18), (40, 20)]})
    verdict = check_release(now, earlier=[before])
    assert ("R4", "hidden_in_an_earlier_release") in reasons(verdict)
    assert all(shown(verdict, status=status) == "[c]" for status in hidden)


def test_two_tables_that_share_cells_are_attacked_together() -> None:
    """R3: the status table shows the sum of outcomes; alone, the outcome table would give its hidden cell away."""
    status = by_status({"lambeth": [(155, 60), (95, 40), (40, 20), (40, 20)]})
    outcome = by_outcome(
        {"assessed": (52, 63, 40), "invited": (50, 5, 40), "joined": (20, 20, 0), "closed": (20, 20, 0)}
    )
    first, second = settle_all([status, outcome])
    assert first.passed
    assert second.passed
    assert shown(second, status="invited", outcome="no") == "[c]"
    row = second.protected.filter(status="invited") if second.protected is not None else pl.DataFrame()
    parts = row.filter(pl.col("outcome") != "Total")["individuals"].to_list()
    assert parts.count("[c]") >= 2, "the total stands in the other table, hidden here or not"


def test_a_total_hidden_here_and_shown_in_another_table_of_the_same_people_protects_nothing() -> None:
    """R3: alone the outcome table is well protected; beside the status table one hidden count is total less the rest."""
    cells = [
        ("assessed", "yes", "50"), ("assessed", "no", "65"), ("assessed", "Total", "115"),
        ("joined", "yes", "[c]"), ("joined", "no", "110"), ("joined", "Total", "[c]"),
        ("Total", "yes", "[c]"), ("Total", "no", "175"), ("Total", "Total", "[c]"),
    ]  # fmt: skip
    frame = pl.DataFrame(cells, schema=["status", "outcome", "individuals"], orient="row").with_columns(
        pl.lit("lambeth").alias("authority"),
        families=pl.when(pl.col("outcome") == "Total", pl.col("individuals") != "[c]")
        .then(pl.lit("[x]"))
        .otherwise("individuals"),
    )
    rows = [("assessed", "115"), ("joined", "115"), ("Total", "230")]
    status = pl.DataFrame(rows, schema=["status", "individuals"], orient="row").with_columns(
        pl.lit("lambeth").alias("authority"), families=pl.col("individuals")
    )
    assert check_release(frame, BY_OUTCOME).passed
    together = check_release(frame, BY_OUTCOME, earlier=[Table(BY_STATUS, status)])
    assert ("R3", "recoverable") in reasons(together)


def test_an_earlier_release_without_its_shape_cannot_be_compared() -> None:
    with pytest.raises(Misuse, match="R4"):
        check_release(SAFE, earlier=[Table(BY_STATUS, pl.DataFrame({"a": [1]}))])


def test_the_research_file_becomes_tables_of_people_and_families() -> None:
    people = pl.DataFrame(
        {
            "wave": ["w"] * 6,
            "authority": ["lambeth"] * 6,
            "status": ["joined"] * 4 + ["invited"] * 2,
            "months_employed": [0, 3, None, 6, 0, 0],
            "months_on_any_benefit": [None] * 6,
            "convictions": [0] * 6,
            "absence_rate": [0.1, 0.05, None, None, None, None],
            "months_child_in_need": [0] * 6,
        },
        schema_overrides={"months_on_any_benefit": pl.Int64},
    )
    homes = family_rows(people.with_columns(research_family=pl.Series(["f1", "f1", "f1", "f2", "f3", "f3"])))
    tables = {table.spec.outcome: table.frame for table in authority_tables(people, homes)}
    told = tables[None].select("status", "individuals", "families", "largest_family").rows()
    assert told == [("invited", 2, 1, 2), ("joined", 4, 2, 3)], "a family may give all that the others leave"
    work = {(r["status"], r["outcome"]): (r["individuals"], r["families"]) for r in tables["employed"].to_dicts()}
    assert work == {
        ("joined", "yes"): (2, 2),
        ("joined", "no"): (1, 1),
        ("joined", "unknown"): (1, 1),
        ("invited", "no"): (2, 1),
    }
    assert set(tables["persistently_absent"]["outcome"]) == {"yes", "no", "unknown"}


def family_rows(people: pl.DataFrame) -> pl.DataFrame:
    told = people.with_columns(
        assessed_month=pl.lit("2022-01"), issue_count=2, identified=True, role=pl.lit("adult"),
        research_id=pl.int_range(pl.len()).cast(pl.String),
    )  # fmt: skip
    return families.of(told, told)


def test_the_most_a_family_can_give_to_a_cell_follows_from_how_many_the_others_are() -> None:
    """R2: its size is not in the research file; the bound may hide a cell too many, never one too few."""
    people = pl.DataFrame({"wave": ["w"] * 40, "authority": ["lambeth"] * 40, "status": ["joined"] * 40}).with_columns(
        pl.lit(0).alias(outcome.column) for outcome in POLICY.outcomes.values()
    )
    for biggest, largest in ((4, 9), (12, 20)):
        owners = [f"big{n}" for n in [0] * biggest] + [f"f{n % 20}" for n in range(40 - biggest)]
        homes = family_rows(people.with_columns(research_family=pl.Series(owners)))
        cell = count(people, homes, ("authority", "status")).to_dicts()[0]
        assert cell["families"] == 21
        assert cell["largest_family"] == largest >= biggest


def test_a_spec_survives_its_file() -> None:
    assert ReleaseSpec.from_toml(BY_OUTCOME.to_toml()) == BY_OUTCOME
    assert ReleaseSpec.from_toml(BY_STATUS.to_toml()) == BY_STATUS
    with pytest.raises(Misuse):
        ReleaseSpec.from_toml('name = "x"')


# ---------------------------------------------------------------- the attacker, written without the gate's own solver


def worlds(total: int, visible: int, cells: int, base: int) -> set[int]:
    """Every true count one of `cells` hidden counts can have, given a total and the sum of the shown ones."""
    rest = (total - visible) // base
    rounded = {parts[0] for parts in itertools.product(range(rest + 1), repeat=cells) if sum(parts) == rest}
    return {max(0, base * one + off) for one in rounded for off in range(-(base // 2), base // 2 + 1)}


@settings(max_examples=10)
@given(st.lists(st.integers(0, 45), min_size=4, max_size=4))
def test_no_hidden_count_of_a_row_can_be_worked_out_by_trying_every_world(people: list[int]) -> None:
    """R3, by enumeration: at least `interval_width` apart, in people and in families."""
    verdict = settle(by_status({"lambeth": [(count, count) for count in people]}))
    if verdict.protected is None:
        return
    counts = dict(verdict.protected.select("status", "individuals").iter_rows())
    total = counts.pop("Total")
    hidden = [status for status, count in counts.items() if count == "[c]"]
    if total == "[c]" or not hidden:
        assert all(int(count) >= POLICY.threshold for count in counts.values() if count != "[c]")
        return
    visible = sum(int(count) for count in counts.values() if count != "[c]")
    possible = worlds(int(total), visible, len(hidden), POLICY.rounding_base)
    assert max(possible) - min(possible) >= POLICY.interval_width
    for status in hidden:
        assert people[STATUSES.index(status)] in possible, "the truth must be among the worlds"


def attack(tables: list[pl.DataFrame]) -> list[float]:  # noqa: C901 - one attack, read from top to bottom
    """The width left to each hidden interior count of people: a plain linear relaxation over the published text.

    Written from docs/release.md alone. A relaxation can only leave MORE open than the integer truth, so the width here
    is an upper bound: a narrow one proves a leak.
    """
    from scipy.optimize import linprog

    places: dict[tuple[object, ...], int] = {}
    equalities: list[tuple[dict[int, float], float]] = []
    bounds: list[tuple[float, float | None]] = []

    def variable(name: tuple[object, ...], low: float = 0, high: float | None = None) -> int:
        if name not in places:
            places[name] = len(bounds)
            bounds.append((low, high))
        return places[name]

    hidden: list[int] = []
    for number, table in enumerate(tables):
        names = [name for name in ("authority", "status", "outcome") if name in table.columns]
        cells = {tuple(row[name] for name in names): row["individuals"] for row in table.to_dicts()}
        for cell, text in cells.items():
            if "Total" in cell:
                continue
            low, high = (0, None) if text == "[c]" else (max(int(text) - 2, 10), int(text) + 2)
            if text == "[c]":
                hidden.append(variable(("true", number, cell), low, high))
                rounded = variable(("rounded", number, cell))
                slack = variable(("slack", number, cell), -2, 2)
                equalities.append(({hidden[-1]: 1, rounded: -1, slack: -1}, 0))
            else:
                variable(("true", number, cell), low, high)
        for total, text in cells.items():
            if "Total" not in total or text == "[c]":
                continue
            terms: dict[int, float] = {}
            known = 0
            for cell, part in cells.items():
                if "Total" in cell or any(t not in ("Total", c) for t, c in zip(total, cell, strict=True)):
                    continue
                if part == "[c]":
                    terms[variable(("rounded", number, cell))] = 1
                else:
                    known += int(part)
            equalities.append((terms, int(text) - known))
    if len(tables) == 2:
        for cell in [name[2] for name in places if name[:2] == ("true", 0)]:
            terms = {places["true", 0, cell]: 1.0}
            terms |= {place: -1.0 for name, place in places.items() if name[:2] == ("true", 1) and name[2][:2] == cell}
            equalities.append((terms, 0))
    matrix = [[terms.get(place, 0) for place in range(len(bounds))] for terms, _ in equalities]
    sums = [total for _, total in equalities]
    widths = []
    for place in hidden:
        goal = [1 if n == place else 0 for n in range(len(bounds))]
        least = linprog(goal, A_eq=matrix or None, b_eq=sums or None, bounds=bounds)
        most = linprog([-g for g in goal], A_eq=matrix or None, b_eq=sums or None, bounds=bounds)
        assert least.status == 0
        widths.append(float("inf") if most.status == 3 else -most.fun - least.fun)
    return widths


CELL = st.integers(0, 60)


@settings(max_examples=4)
@given(st.lists(st.lists(CELL, min_size=4, max_size=4), min_size=2, max_size=3))
def test_no_hidden_count_of_a_two_way_table_can_be_worked_out_from_its_margins(cells: list[list[int]]) -> None:
    """R3: an independent attacker, over the published text."""
    table = by_status({f"area-{chr(97 + n)}": [(count, count) for count in row] for n, row in enumerate(cells)})
    verdict = settle(table)
    if verdict.protected is not None:
        assert all(width >= POLICY.interval_width for width in attack([verdict.protected]))


@settings(max_examples=3)
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=4, max_size=4))
def test_no_hidden_count_can_be_worked_out_from_two_tables_that_share_cells(cells: list[tuple[int, int, int]]) -> None:
    """R3: the status table and the outcome table of the same people, attacked together."""
    outcome = by_outcome(dict(zip(STATUSES, cells, strict=True)))
    status = by_status({"lambeth": [(sum(row), max(part // 2 for part in row)) for row in cells]})
    verdicts = settle_all([status, outcome])
    out = [verdict.protected for verdict in verdicts if verdict.passed and verdict.protected is not None]
    if len(out) == 2 or (out and verdicts[0].passed):
        assert all(width >= POLICY.interval_width for width in attack(out))


@settings(max_examples=4)
@given(st.lists(st.lists(CELL, min_size=4, max_size=4), min_size=1, max_size=2))
def test_a_protected_table_checks_clean_and_is_its_own_protected_version(cells: list[list[int]]) -> None:
    table = by_status({f"area-{chr(97 + n)}": [(count, count) for count in row] for n, row in enumerate(cells)})
    first = check_release(table)
    again = check_release(Table(BY_STATUS, first.protected)) if first.protected is not None else first
    assert again.passed
    assert again.protected is not None
    assert again.protected.equals(first.protected)
