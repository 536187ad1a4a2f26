"""The framework of 2022 to 2025 as a table: ten outcomes, at least three needs, and what no feed can show.

Written as partners' files and read by `linkage families` with that framework's criteria, as of its first day.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from early_help_cases import (
    AS_OF,
    FamilyCase,
    abuse,
    attends,
    benefit,
    care,
    months_ago,
    need,
    offence,
    referral,
    tenancy,
)
from early_help_files import deliver_files
from typer.testing import CliRunner

from linkage import settings
from linkage.cli import app
from linkage.early_help.criteria import FRAMEWORKS, load
from linkage.errors import FlowRefused

CRITERIA = settings.REPOSITORY / "policy" / "early_help_2022.toml"
Story = Callable[[FamilyCase], object]
SCENARIOS: list[tuple[str, Story, str, bool]] = []


def scenario(title: str, outcomes: str, *, identified: bool) -> Callable[[Story], Story]:
    def keep(story: Story) -> Story:
        SCENARIOS.append((title, story, outcomes, identified))
        return story

    return keep


@scenario("two needs, enough in 2015, are not enough", "health;domestic_abuse", identified=False)
def _(f: FamilyCase) -> None:
    need(abuse(f, "parent", months_ago(3)), "child", months_ago(1))


@scenario("three different needs identify a family", "health;crime;domestic_abuse", identified=True)
def _(f: FamilyCase) -> None:
    offence(need(abuse(f, "parent", months_ago(3)), "child", months_ago(1)), "partner", months_ago(1))


@scenario("health and substance use are two needs, which were one issue", "health;substance_use", identified=False)
def _(f: FamilyCase) -> None:
    need(need(f, "parent", months_ago(2)), "parent", months_ago(2), "substance_misuse")


@scenario("arrears and a notice of possession are two needs", "secure_housing;financial_stability", identified=False)
def _(f: FamilyCase) -> None:
    tenancy(f, "parent", 9, possession_notice_on=months_ago(1))


@scenario("a new mother who needs support is a need of early years", "early_years", identified=False)
def _(f: FamilyCase) -> None:
    need(f, "parent", months_ago(2), "new_mother")


@scenario("attendance is an average over two terms, not three", "", identified=False)
def _(f: FamilyCase) -> None:
    attends(attends(attends(f, "child", "2021-autumn", 60), "child", "2022-spring", 5), "child", "2022-summer", 5)


@scenario("less than nine tenths over two terms", "good_education", identified=False)
def _(f: FamilyCase) -> None:
    attends(attends(f, "child", "2022-spring", 20), "child", "2022-summer", 4)


@scenario("a child on a protection plan is a need of safety", "children_safe", identified=False)
def _(f: FamilyCase) -> None:
    care(f, "child", cin_started_on=months_ago(20), cpp_started_on=months_ago(3))


@scenario("a young person who is not in education or work is a need of money", "financial_stability", identified=False)
def _(f: FamilyCase) -> None:
    f.member("young", "child", 17, education_status="unemployed")
    benefit(f, "young", "none", out=False, neet=True)


@scenario("a referrer's six words are read as outcomes", "good_education;children_safe;crime", identified=True)
def _(f: FamilyCase) -> None:
    referral(f, "parent", "crime_asb;school_attendance;children_need_help")


@scenario("adults alone are no family here either", "health;crime;domestic_abuse", identified=False)
def _(f: FamilyCase) -> None:
    for name in ("child", "little"):
        del f.members[name]
    offence(need(abuse(f, "parent", months_ago(3)), "partner", months_ago(1)), "partner", months_ago(1))


@scenario("a parent elsewhere brings one need", "health;crime;domestic_abuse", identified=True)
def _(f: FamilyCase) -> None:
    f.member("away", "non_resident_parent", 39, address="2 Far Lane", postcode="CR0 2YR")
    need(offence(f, "away", months_ago(2)), "away", months_ago(2))
    need(abuse(f, "parent", months_ago(3)), "child", months_ago(1))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    cases = []
    for number, (_, story, _, _) in enumerate(SCENARIOS):
        case = FamilyCase(number).member("parent", "adult", 35).member("partner", "adult", 37)
        case.member("child", "child", 12).member("little", "child", 2)
        story(case)
        cases.append(case)
    folder = deliver_files(cases, tmp_path_factory.mktemp("deliveries"))
    out = folder / "families.csv"
    told = ["families", str(folder), "--as-of", str(AS_OF), "--criteria", str(CRITERIA), "--out", str(out)]
    result = CliRunner().invoke(app, told)
    assert result.exit_code == 0, result.output
    with out.open(newline="") as handle:
        return {row["family_ref"]: row for row in csv.DictReader(handle)}


@pytest.mark.parametrize("number", range(len(SCENARIOS)), ids=[title for title, *_ in SCENARIOS])
def test_outcome_scenario(found: dict[str, dict[str, str]], number: int) -> None:
    """N2 under the later framework: other issues and another threshold, the same code."""
    _, _, outcomes, identified = SCENARIOS[number]
    line = found[f"FAM{number:03d}"]
    assert (line["issues"], line["identified"]) == (outcomes, str(identified).lower()), line["reasons"]


def test_what_no_feed_can_show_is_not_supplied_and_never_not_met(found: dict[str, dict[str, str]]) -> None:
    assert all("family_relationships" in line["reasons"].split("not supplied: ")[1] for line in found.values())


def test_the_ten_outcomes_stand_in_the_guidances_order() -> None:
    assert tuple(load(CRITERIA).issues) == FRAMEWORKS["ten_outcomes"]


@pytest.mark.parametrize("day", [date(2022, 10, 2), date(2025, 4, 1)])
def test_the_framework_is_refused_outside_its_dates(tmp_path: Path, day: date) -> None:
    """N2: in force from 3 October 2022 to 31 March 2025."""
    told = ["families", str(tmp_path), "--as-of", str(day), "--criteria", str(CRITERIA), "--out", str(tmp_path / "x")]
    assert isinstance(CliRunner().invoke(app, told).exception, FlowRefused)
