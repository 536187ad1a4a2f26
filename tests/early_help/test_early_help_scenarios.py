"""N2 as a table: what a family's people and partners say, and the issues and verdict expected as of 3 October 2022.

Every scenario is written as its partners' files. It is a household of a parent (35), a partner (37), a child of 12 and
one of 6 unless it says otherwise, and all of them go through `linkage families` together, as one morning's deliveries.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import date, timedelta

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
    order,
    referral,
    tenancy,
)
from early_help_files import deliver_files
from typer.testing import CliRunner

from linkage.cli import app
from linkage.early_help.criteria import ISSUES

TERMS = ("2021-autumn", "2022-spring", "2022-summer")
Story = Callable[[FamilyCase], object]
# title, what partners say, expected issues, identified
SCENARIOS: list[tuple[str, Story, str, bool]] = []
BARE: set[str] = set()


def scenario(title: str, issues: str, *, identified: bool, bare: bool = False) -> Callable[[Story], Story]:
    """Register a story; `bare` ones bring their own people."""

    def keep(story: Story) -> Story:
        SCENARIOS.append((title, story, issues, identified))
        if bare:
            BARE.add(title)
        return story

    return keep


def all_terms(f: FamilyCase, name: str, missed: int, possible: int = 100) -> FamilyCase:
    for term in TERMS:
        attends(f, name, term, missed, possible)
    return f


# --- how many issues ----------------------------------------------------------------------------------------


@scenario("a family nobody knows shows nothing", "", identified=False)
def _(f: FamilyCase) -> None: ...


@scenario("one issue is not enough", "domestic_abuse", identified=False)
def _(f: FamilyCase) -> None:
    abuse(f, "parent", months_ago(3))


@scenario("two different issues identify a family", "domestic_abuse;health", identified=True)
def _(f: FamilyCase) -> None:
    need(abuse(f, "parent", months_ago(3)), "child", months_ago(1))


@scenario("two indicators of one issue count once", "crime_asb", identified=False)
def _(f: FamilyCase) -> None:
    order(offence(f, "parent", months_ago(3)), "partner", "licence")


@scenario("the same issue shown by two people counts once", "health", identified=False)
def _(f: FamilyCase) -> None:
    need(need(f, "parent", months_ago(3)), "child", months_ago(3))


# --- crime and anti-social behaviour ------------------------------------------------------------------------


@scenario("an offence on the corresponding date a year ago is in the last 12 months", "crime_asb", identified=False)
def _(f: FamilyCase) -> None:
    offence(f, "parent", months_ago(12))


@scenario("an offence a day before that is not", "", identified=False)
def _(f: FamilyCase) -> None:
    offence(f, "parent", months_ago(12, days=1))


@scenario("an offence dated after the as-of date is not evidence yet", "", identified=False)
def _(f: FamilyCase) -> None:
    offence(f, "parent", AS_OF + timedelta(days=1))


@scenario("what is charged, pending, dropped, suspected or suffered is not a proven offence", "", identified=False)
def _(f: FamilyCase) -> None:
    for outcome in ("charged", "pending", "no_further_action"):
        offence(f, "parent", months_ago(2), outcome)
    offence(f, "partner", months_ago(2), role="suspect")
    offence(f, "child", months_ago(2), role="victim")


@scenario("a child under ten is below the age of criminal responsibility", "", identified=False)
def _(f: FamilyCase) -> None:
    offence(f, "little", months_ago(2))


@scenario("a child who was still nine at the time is too, though ten by now", "", identified=False, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 35).member("child", "child", months_ago(120, days=90) + timedelta(days=1))
    offence(f, "child", f.members["child"]["date_of_birth"].replace(year=2022) - timedelta(days=1))


@scenario("a child of seventeen at the time counts, though eighteen by now", "crime_asb", identified=False, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 38).member("child", "child", 18, education_status="in_education")
    offence(f, "child", f.members["child"]["date_of_birth"].replace(year=2022) - timedelta(days=1))


@scenario("a prisoner with parenting responsibility due out within a year counts", "crime_asb", identified=False)
def _(f: FamilyCase) -> None:
    order(f, "partner", "custody", release_on=date(2023, 10, 3), parenting_responsibility=True)


@scenario("one due out later, without that responsibility, or out already does not", "", identified=False)
def _(f: FamilyCase) -> None:
    order(f, "partner", "custody", release_on=date(2023, 10, 4), parenting_responsibility=True)
    order(f, "partner", "custody", release_on=months_ago(-2), parenting_responsibility=False)
    order(f, "parent", "custody", release_on=months_ago(1), parenting_responsibility=True)


@scenario("an order in the community counts while it runs, to its last day", "crime_asb", identified=False)
def _(f: FamilyCase) -> None:
    order(f, "parent", "community_order", ends_on=AS_OF)


@scenario("an order that ended, or has not begun, does not", "", identified=False)
def _(f: FamilyCase) -> None:
    order(f, "parent", "suspended_sentence", ends_on=AS_OF - timedelta(days=1))
    order(f, "partner", "licence", started_on=AS_OF + timedelta(days=1))


@scenario("the landlord's and the police's intervention are one issue", "crime_asb", identified=False)
def _(f: FamilyCase) -> None:
    tenancy(f, "parent", asb_intervention_on=months_ago(4))
    f.says("police", "child", record_type="asb", person_role="offender", outcome="proven", occurred_on=months_ago(5))


# --- school attendance --------------------------------------------------------------------------------------


@scenario("a tenth of sessions missed, with leave or without, is the threshold", "school_attendance", identified=False)
def _(f: FamilyCase) -> None:
    all_terms(f, "child", 10)


@scenario("one session less than a tenth is not", "", identified=False)
def _(f: FamilyCase) -> None:
    attends(attends(attends(f, "child", TERMS[0], 10), "child", TERMS[1], 10), "child", TERMS[2], 9)


@scenario("two enrolments of one pupil are added up before dividing: the bad one is short", "", identified=False)
def _(f: FamilyCase) -> None:
    attends(attends(f, "child", TERMS[2], 12, 20), "child:B", TERMS[2], 6, 280)


@scenario("two enrolments of one pupil are added up: neither share is averaged", "school_attendance", identified=False)
def _(f: FamilyCase) -> None:
    attends(attends(f, "child", TERMS[2], 29, 250), "child:B", TERMS[2], 1, 50)


@scenario("two enrolments that agree in every figure are two enrolments", "school_attendance", identified=False)
def _(f: FamilyCase) -> None:
    for term, missed in ((TERMS[2], 15), (TERMS[2], 15), (TERMS[1], 5), (TERMS[0], 5)):
        attends(f, "child", term, missed)


@scenario("a fourth term back does not count when the last is there", "", identified=False)
def _(f: FamilyCase) -> None:
    all_terms(attends(f, "child", "2021-summer", 90), "child", 2)


@scenario("a school a term late is judged on the three terms before", "school_attendance", identified=False)
def _(f: FamilyCase) -> None:
    attends(attends(attends(f, "child", "2021-summer", 40), "child", TERMS[0], 2), "child", TERMS[1], 2)


@scenario("a school two terms late is not waited for", "", identified=False)
def _(f: FamilyCase) -> None:
    attends(attends(f, "child", "2021-summer", 40), "child", TERMS[0], 2)


@scenario("a pupil excluded for good in autumn has no later terms, and counts", "school_attendance", identified=False)
def _(f: FamilyCase) -> None:
    attends(f, "child", TERMS[0], 0, permanent_exclusion=True)


@scenario("three fixed-term exclusions over the three terms", "school_attendance", identified=False)
def _(f: FamilyCase) -> None:
    for term in TERMS:
        attends(f, "child", term, 0, fixed_term_exclusions=1)


@scenario("two fixed-term exclusions are not three, and a brother's is his own", "", identified=False)
def _(f: FamilyCase) -> None:
    attends(attends(f, "child", TERMS[2], 0, fixed_term_exclusions=2), "little", TERMS[2], 0, fixed_term_exclusions=1)


def one_flag(flag: str) -> None:
    @scenario(f"{flag.replace('_', ' ')} in any of the three terms is enough", "school_attendance", identified=False)
    def _(f: FamilyCase) -> None:
        attends(attends(f, "child", TERMS[0], 0, **{flag: True}), "child", TERMS[2], 0)


for each in ("permanent_exclusion", "missing_education", "behaviour_provision"):
    one_flag(each)


# --- children who need help ---------------------------------------------------------------------------------


@scenario("a child in need, by the authority's own child reference", "children_need_help", identified=False)
def _(f: FamilyCase) -> None:
    care(f, "child", cin_started_on=months_ago(20))


@scenario("a spell in need that closed more than a year ago is past", "", identified=False)
def _(f: FamilyCase) -> None:
    care(f, "child", cin_started_on=months_ago(30), cin_closed_on=months_ago(12, days=1))


@scenario("a child known by its UPN, the census having no names", "health;children_need_help", identified=True)
def _(f: FamilyCase) -> None:
    attends(f, "child", TERMS[2], 0, upn="H801200001001")
    care(f, "child", "C-900", upn="H801200001001", section47_on=months_ago(11))
    need(f, "parent", months_ago(1))


@scenario("a UPN whose date of birth is another child's is not followed", "", identified=False)
def _(f: FamilyCase) -> None:
    attends(f, "child", TERMS[2], 0, upn="J801200001002")
    care(f, "child", "C-901", upn="J801200001002", section47_on=months_ago(11), date_of_birth=date(2015, 1, 1))


# --- work and money -----------------------------------------------------------------------------------------


@scenario("out of work on benefit today", "work_finance", identified=False)
def _(f: FamilyCase) -> None:
    benefit(f, "parent", "ESA")


@scenario("benefit in work, a claim that ended, and no benefit are not worklessness", "", identified=False)
def _(f: FamilyCase) -> None:
    benefit(f, "parent", "UC", out=False)
    benefit(f, "partner", "JSA", ended_on=AS_OF - timedelta(days=1))
    benefit(f, "partner", "none")


@scenario("a young person not in education, employment or training", "work_finance", identified=False, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 40).member("young", "child", 17, education_status="unemployed")
    benefit(f, "young", "none", out=False, neet=True)


@scenario("eight weeks of arrears are financial exclusion, seven are not", "work_finance", identified=False)
def _(f: FamilyCase) -> None:
    tenancy(tenancy(f, "parent", 7), "partner", 8)


@scenario("seven weeks alone are not", "", identified=False)
def _(f: FamilyCase) -> None:
    tenancy(f, "parent", 7)


@scenario("a notice of possession within the year", "work_finance", identified=False)
def _(f: FamilyCase) -> None:
    tenancy(f, "parent", 0, possession_notice_on=months_ago(12))


# --- domestic abuse and health ------------------------------------------------------------------------------


@scenario("a perpetrator shows domestic abuse, a suspect does not", "domestic_abuse", identified=False)
def _(f: FamilyCase) -> None:
    abuse(abuse(f, "partner", months_ago(2), "perpetrator"), "parent", months_ago(2), "suspect")


@scenario("a suspect alone does not", "", identified=False)
def _(f: FamilyCase) -> None:
    abuse(f, "parent", months_ago(2), "suspect")


@scenario("a need of another kind, or recorded too long ago, is not a health issue", "", identified=False)
def _(f: FamilyCase) -> None:
    need(need(f, "parent", months_ago(2), "other"), "parent", months_ago(12, days=1))


# --- referrals ----------------------------------------------------------------------------------------------


@scenario("a direct referral shows each issue it names", "school_attendance;health", identified=True)
def _(f: FamilyCase) -> None:
    referral(f, "parent", "school_attendance;health")


@scenario("a referral and a partner's record of the same issue count once", "health", identified=False)
def _(f: FamilyCase) -> None:
    need(referral(f, "parent", "health"), "parent", months_ago(2))


@scenario("a referral older than the window is past", "", identified=False)
def _(f: FamilyCase) -> None:
    referral(f, "parent", "health;domestic_abuse", months_ago(12, days=1))


# --- families -----------------------------------------------------------------------------------------------


@scenario("adults alone are no family of the programme", "domestic_abuse;health", identified=False, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 50).member("partner", "adult", 52)
    need(abuse(f, "parent", months_ago(2)), "partner", months_ago(2))


@scenario("an expectant parent makes a family in this version", "domestic_abuse;health", identified=True, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "expectant_parent", 24)
    need(abuse(f, "parent", months_ago(2)), "parent", months_ago(2))


@scenario("a 17-year-old at college and at home is dependent", "domestic_abuse;health", identified=True, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 45).member("young", "child", 17, education_status="in_education")
    need(abuse(f, "parent", months_ago(2)), "young", months_ago(2))


@scenario("a 17-year-old in work is not", "domestic_abuse;health", identified=False, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 45).member("young", "child", 17, education_status="employed")
    need(abuse(f, "parent", months_ago(2)), "young", months_ago(2))


@scenario("nor one who lives somewhere else", "domestic_abuse;health", identified=False, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 45)
    f.member("young", "child", 17, education_status="in_education", address="9 Hostel Yard", postcode="N1 1AA")
    need(abuse(f, "parent", months_ago(2)), "young", months_ago(2))


@scenario("nor a 19-year-old in education", "domestic_abuse;health", identified=False, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 45).member("young", "child", 19, education_status="in_education")
    need(abuse(f, "parent", months_ago(2)), "young", months_ago(2))


# --- parents who live elsewhere -----------------------------------------------------------------------------


def away(f: FamilyCase, name: str = "away", age: int = 39) -> FamilyCase:
    return f.member(name, "non_resident_parent", age, address="2 Far Lane", postcode="CR0 2YR")


@scenario("a non-resident parent alone brings one issue, never two", "crime_asb", identified=False)
def _(f: FamilyCase) -> None:
    need(offence(away(f), "away", months_ago(2)), "away", months_ago(2))


@scenario("an issue of the household and one of a parent elsewhere are two", "domestic_abuse;health", identified=True)
def _(f: FamilyCase) -> None:
    need(abuse(away(f), "parent", months_ago(2)), "away", months_ago(2))


@scenario("a non-resident parent adds the issue the household lacks", "crime_asb;health", identified=True)
def _(f: FamilyCase) -> None:
    need(offence(away(f), "away", months_ago(2)), "away", months_ago(2))
    offence(f, "parent", months_ago(2))


@scenario("two parents elsewhere bring one each, the one with less choice first", "crime_asb;health", identified=True)
def _(f: FamilyCase) -> None:
    away(away(f), "away2", 41)
    need(offence(f, "away", months_ago(2)), "away", months_ago(2))
    offence(f, "away2", months_ago(2))


# --- who is whom, and who lives with whom -------------------------------------------------------------------


@scenario("a mover is the same person under the old address", "health", identified=False)
def _(f: FamilyCase) -> None:
    f.rows.append(("health", f.row("health", "parent", need="mental_health", recorded_on=months_ago(1))))
    f.rows[-1][1].update(address="77 Former Street", postcode="CR0 3RL")


@scenario("somebody who married is known by the new name's other half", "health", identified=False, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 35, nino="AB123456C").member("child", "child", 12)
    f.rows.append(("health", f.row("health", "parent", need="mental_health", recorded_on=months_ago(1))))
    f.rows[-1][1].update(surname="Montague-Delacroix")


@scenario("a namesake born a generation earlier is somebody else", "", identified=False)
def _(f: FamilyCase) -> None:
    f.rows.append(("health", f.row("health", "child", need="mental_health", recorded_on=months_ago(1))))
    f.rows[-1][1].update(date_of_birth=date(1970, 5, 5))


@scenario("a stranger at the family's own front door is not family", "", identified=False)
def _(f: FamilyCase) -> None:
    f.rows.append(("police", f.row("police", "parent", record_type="crime", person_role="offender", outcome="proven")))
    f.rows[-1][1].update(
        occurred_on=months_ago(1), forename="Thaddeus", surname="Ochterlony", date_of_birth=date(1961, 2, 3), gender="M"
    )


STRANGERS = (("Thaddeus", "Ochterlony", "M"), ("Perpetua", "Quillonbrax", "F"), ("Ignatius", "Featherstonehaugh", "M"))


@scenario("a house of many flats, written without the flat, makes nobody a neighbour's family", "", identified=False)
def _(f: FamilyCase) -> None:
    for number, (forename, surname, gender) in enumerate(STRANGERS):
        f.rows.append(("health", f.row("health", "parent", need="mental_health", recorded_on=months_ago(1))))
        f.rows[-1][1].update(
            person_ref=f"H-{number}",
            forename=forename,
            surname=surname,
            gender=gender,
            date_of_birth=date(1961 + number, 2, 3),
        )


@scenario("a school that gives its own address for every pupil merges no pupil into the family", "", identified=False)
def _(f: FamilyCase) -> None:
    for term in TERMS:
        attends(f, "child", term, 0)
        for number, (forename, surname, gender) in enumerate(STRANGERS):
            attends(f, "child", term, 0, permanent_exclusion=True)
            f.rows[-1][1].update(person_ref=f"S-{number}", forename=forename, surname=surname, gender=gender)
            f.rows[-1][1].update(date_of_birth=date(2009, 3, 1 + number))
    for feed, row in f.rows:
        if feed == "schools":
            row.update(address="Riverside School, School Lane", postcode="CR0 3RL", upn=None)


@scenario(
    "a lodger on the case record is not asked where he sleeps: the record says who is family",
    "health",
    identified=False,
)
def _(f: FamilyCase) -> None:
    need(f.member("lodger", "adult", 50, address="9 Other Row", postcode="N1 1AA"), "lodger", months_ago(1))


@scenario(
    "a family in a refuge has no address to give away and is found by name and birth",
    "domestic_abuse;health",
    identified=True,
    bare=True,
)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 33, address="withheld", postcode=None)
    f.member("child", "child", 9, address="withheld", postcode=None)
    need(abuse(f, "parent", months_ago(1)), "child", months_ago(1))


@scenario("a care leaver of 18 with a child of her own is a family", "work_finance;health", identified=True, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 18, education_status="unemployed").member("baby", "child", 1)
    need(benefit(f, "parent", "UC", neet=True), "parent", months_ago(2), "new_mother")


@scenario("an 18-year-old care leaver alone is not", "work_finance;health", identified=False, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 18, education_status="unemployed")
    need(benefit(f, "parent", "UC", neet=True), "parent", months_ago(2))


@scenario(
    "a young person living with a parent by UPRN, however the address is written",
    "domestic_abuse;health",
    identified=True,
    bare=True,
)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 45, uprn="100021000001")
    f.member("young", "child", 16, education_status="in_training", uprn="100021000001", address="Flat 2, The Maltings")
    need(abuse(f, "parent", months_ago(2)), "young", months_ago(2))


@scenario(
    "twins: what one shows is not shown twice, and is not the other's offence", "crime_asb", identified=False, bare=True
)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 35).member("child", "child", 13)
    f.members["twin"] = f.members["child"] | {"person_ref": f"{f.ref}-twin", "forename": "Zebedee"}
    offence(f, "twin", months_ago(1))


# --- odd days -------------------------------------------------------------------------------------------------


@scenario(
    "a spell in need that closed on the corresponding date is still within the year",
    "children_need_help",
    identified=False,
)
def _(f: FamilyCase) -> None:
    care(f, "child", cin_started_on=months_ago(30), cin_closed_on=months_ago(12))


@scenario(
    "a protection plan that runs needs no date of its own within the year", "children_need_help", identified=False
)
def _(f: FamilyCase) -> None:
    care(f, "child", cin_started_on=months_ago(40), cpp_started_on=months_ago(39))


@scenario("an order that began long ago and has no end still runs", "crime_asb", identified=False)
def _(f: FamilyCase) -> None:
    order(f, "parent", "suspended_sentence", started_on=months_ago(30))


@scenario("a claim that ends today is a claim today", "work_finance", identified=False)
def _(f: FamilyCase) -> None:
    benefit(f, "parent", "JSA", ended_on=AS_OF)


@scenario("a young person who turned 25 is not a young person", "", identified=False, bare=True)
def _(f: FamilyCase) -> None:
    f.member("parent", "adult", 48).member("child", "child", 12).member("grown", "adult", 25)
    benefit(f, "grown", "none", out=False, neet=True)


@scenario("a child's benefit is nobody's worklessness", "", identified=False)
def _(f: FamilyCase) -> None:
    benefit(f, "child", "ESA")


@scenario(
    "the case record's own word of joining does not change who is identified", "domestic_abuse;health", identified=True
)
def _(f: FamilyCase) -> None:
    f.status = "joined"
    need(abuse(f, "parent", months_ago(3)), "child", months_ago(1))


@scenario("all six", ";".join(ISSUES), identified=True)
def _(f: FamilyCase) -> None:
    care(
        need(abuse(offence(f, "parent", months_ago(1)), "parent", months_ago(1)), "parent", months_ago(1)),
        "child",
        cin_started_on=months_ago(3),
    )
    benefit(all_terms(f, "child", 30), "partner")


def household(number: int, bare: bool = False) -> FamilyCase:
    f = FamilyCase(number)
    if not bare:
        f.member("parent", "adult", 35).member("partner", "adult", 37).member("child", "child", 12)
        f.member("little", "child", 6)
    return f


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """All scenarios as one morning's files, through `linkage families`: each family's line."""
    cases = []
    for number, (title, story, _, _) in enumerate(SCENARIOS):
        case = household(number, title in BARE)
        story(case)
        cases.append(case)
    folder = deliver_files(cases, tmp_path_factory.mktemp("deliveries"))
    out = folder / "families.csv"
    result = CliRunner().invoke(app, ["families", str(folder), "--as-of", str(AS_OF), "--out", str(out)])
    assert result.exit_code == 0, result.output
    with out.open(newline="") as handle:
        return {row["family_ref"]: row for row in csv.DictReader(handle)}


@pytest.mark.parametrize("number", range(len(SCENARIOS)), ids=[title for title, *_ in SCENARIOS])
def test_scenario(found: dict[str, dict[str, str]], number: int) -> None:
    """N2: the issues a family shows, and whether it is identified."""
    _, _, issues, identified = SCENARIOS[number]
    line = found[f"FAM{number:03d}"]
    told = (set(line["issues"].split(";")), line["identified"])
    assert told == (set(issues.split(";")), str(identified).lower()), line["reasons"]
    assert line["issue_count"] == str(len([issue for issue in issues.split(";") if issue]))


def test_every_assessed_family_has_exactly_one_row(found: dict[str, dict[str, str]]) -> None:
    """N2, N5: identified or not, invited or not."""
    assert sorted(found) == [f"FAM{n:03d}" for n in range(len(SCENARIOS))]
