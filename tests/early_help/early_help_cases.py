"""Tiny deliveries for the identification tests: people by role and age, evidence by feed, one family per scenario.

`FamilyCase` collects what each scenario says; `deliver` turns any number of them into the accepted frames of the feeds.
Partners spell people as the authority does: recognising people is the matching tests' matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl

from linkage.policy.deadlines import month_after

AS_OF = date(2022, 10, 3)
P = {
    "person_ref": pl.String,
    "forename": pl.String,
    "surname": pl.String,
    "date_of_birth": pl.Date,
    "gender": pl.String,
    "address": pl.String,
    "postcode": pl.String,
    "uprn": pl.String,
    "nino": pl.String,
}
COLUMNS: dict[str, dict[str, Any]] = {
    "case_management": {
        "family_ref": pl.String,
        "role": pl.String,
        "education_status": pl.String,
        "status": pl.String,
        "assessed_on": pl.Date,
    },
    "schools": {
        "upn": pl.String,
        "term": pl.String,
        "sessions_possible": pl.Int32,
        "sessions_authorised": pl.Int32,
        "sessions_unauthorised": pl.Int32,
        "fixed_term_exclusions": pl.Int32,
        "permanent_exclusion": pl.Boolean,
        "missing_education": pl.Boolean,
        "behaviour_provision": pl.Boolean,
    },
    "police": {
        "record_type": pl.String,
        "person_role": pl.String,
        "outcome": pl.String,
        "occurred_on": pl.Date,
        "outcome_on": pl.Date,
    },
    "probation": {
        "order_type": pl.String,
        "started_on": pl.Date,
        "ends_on": pl.Date,
        "release_on": pl.Date,
        "parenting_responsibility": pl.Boolean,
    },
    "housing": {"arrears_weeks": pl.Int32, "possession_notice_on": pl.Date, "asb_intervention_on": pl.Date},
    "jobcentre": {
        "benefit": pl.String,
        "out_of_work": pl.Boolean,
        "started_on": pl.Date,
        "ended_on": pl.Date,
        "neet": pl.Boolean,
    },
    "health": {"need": pl.String, "recorded_on": pl.Date},
    "referrals": {"family_ref": pl.String, "referrer": pl.String, "referred_on": pl.Date, "issues": pl.String},
}
CENSUS = {
    "person_ref": pl.String,
    "upn": pl.String,
    "date_of_birth": pl.Date,
    "expected_birth_date": pl.Date,
    "gender": pl.String,
    "cin_started_on": pl.Date,
    "cin_closed_on": pl.Date,
    "section47_on": pl.Date,
    "cpp_started_on": pl.Date,
    "cpp_ended_on": pl.Date,
}
_FORENAMES = (
    "Amara",
    "Bronwen",
    "Caspian",
    "Delphine",
    "Ezekiel",
    "Farzana",
    "Gwendolen",
    "Horatio",
    "Ifeoma",
    "Jocasta",
)
_FIRST = ("Ash", "Black", "Cran", "Dun", "Elder", "Fair", "Green", "Hawk", "Ivel", "Kings", "Long", "Marsh")
_LAST = ("ford", "wick", "bury", "combe", "stead", "thorpe", "minster", "worth", "leigh", "mere")


@dataclass
class FamilyCase:
    """One family and the evidence partners hold of it. `members`: name -> its case record columns."""

    number: int
    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: str = "assessed"
    assessed_on: date = date(2022, 1, 10)

    @property
    def ref(self) -> str:
        return f"FAM{self.number:03d}"

    def member(self, name: str, role: str, age: int | date, **more: Any) -> FamilyCase:
        """Add somebody; an age means a birthday well before the as-of date."""
        born = age if isinstance(age, date) else month_after(AS_OF, -12 * age) - timedelta(days=100)
        place = len(self.members)
        self.members[name] = {
            "person_ref": f"{self.ref}-{name}",
            "forename": _FORENAMES[(place * 3 + self.number) % len(_FORENAMES)],
            "surname": _FIRST[self.number % len(_FIRST)] + _LAST[self.number // len(_FIRST) % len(_LAST)],
            "date_of_birth": born + timedelta(days=self.number % 60),
            "gender": "FM"[place % 2],
            "address": f"{self.number + 1} {_LAST[self.number % len(_LAST)].title()} Road",
            "postcode": f"SE{1 + self.number % 28} {self.number % 9}{'ABDEFGHJLN'[self.number // 9 % 10]}B",
            "role": role,
            **more,
        }
        return self

    def says(self, feed: str, name: str, **columns: Any) -> FamilyCase:
        """Add a row that a partner holds of a member; `name` may carry a partner's own reference after a colon."""
        self.rows.append((feed, self.row(feed, name, **columns)))
        return self

    def row(self, feed: str, name: str, **columns: Any) -> dict[str, Any]:
        """The row a partner holds of a member, for a story to change before it is added."""
        who, _, ref = name.partition(":")
        person = {column: self.members[who].get(column) for column in P}
        return {**person, "person_ref": f"{feed}-{self.ref}-{who}{ref}", **columns}


def deliver(cases: list[FamilyCase], *feeds: str) -> dict[str, pl.DataFrame]:
    """The accepted frames: every feed, or only the ones named (others are "not supplied"), and the families."""
    wanted = feeds or (*COLUMNS, "children_services")
    rows: dict[str, list[dict[str, Any]]] = {feed: [] for feed in ("case_management", *wanted)}
    for case in cases:
        whole = {"family_ref": case.ref, "status": case.status, "assessed_on": case.assessed_on}
        rows["case_management"] += [{**whole, **person} for person in case.members.values()]
        for feed, row in case.rows:
            if feed in rows:
                rows[feed].append(row)
    return {feed: pl.DataFrame(found, schema=_schema(feed), orient="row") for feed, found in rows.items()}


def _schema(feed: str) -> dict[str, Any]:
    return CENSUS if feed == "children_services" else {**P, **COLUMNS[feed]}


def months_ago(months: int, days: int = 0) -> date:
    """The date so many months, and days more, before the as-of date."""
    return month_after(AS_OF, -months) - timedelta(days=days)


def offence(case: FamilyCase, name: str, on: date, outcome: str = "proven", role: str = "offender") -> FamilyCase:
    return case.says("police", name, record_type="crime", person_role=role, outcome=outcome, occurred_on=on)


def abuse(case: FamilyCase, name: str, on: date, role: str = "victim") -> FamilyCase:
    return case.says(
        "police", name, record_type="domestic_abuse", person_role=role, outcome="no_further_action", occurred_on=on
    )


def need(case: FamilyCase, name: str, on: date, kind: str = "mental_health") -> FamilyCase:
    return case.says("health", name, need=kind, recorded_on=on)


def attends(case: FamilyCase, name: str, term: str, missed: int, possible: int = 100, **columns: Any) -> FamilyCase:
    none = {"fixed_term_exclusions": 0, "permanent_exclusion": False, "missing_education": False}
    sessions = {
        "sessions_possible": possible,
        "sessions_authorised": missed // 2,
        "sessions_unauthorised": missed - missed // 2,
    }
    return case.says("schools", name, term=term, **sessions, **{**none, "behaviour_provision": False, **columns})


def benefit(case: FamilyCase, name: str, kind: str = "UC", out: bool = True, **columns: Any) -> FamilyCase:
    dates = {"started_on": months_ago(8), "ended_on": None, "neet": False}
    return case.says("jobcentre", name, benefit=kind, out_of_work=out, **{**dates, **columns})


def order(case: FamilyCase, name: str, kind: str, **columns: Any) -> FamilyCase:
    dates = {"started_on": months_ago(6), "ends_on": None, "release_on": None, "parenting_responsibility": False}
    return case.says("probation", name, order_type=kind, **{**dates, **columns})


def tenancy(case: FamilyCase, name: str, weeks: int = 0, **columns: Any) -> FamilyCase:
    return case.says("housing", name, arrears_weeks=weeks, **columns)


def care(case: FamilyCase, name: str, ref: str | None = None, **columns: Any) -> FamilyCase:
    """A census row: by the authority's own child reference unless `ref` gives another."""
    person = case.members[name]
    row = {
        "person_ref": ref or person["person_ref"],
        "date_of_birth": person["date_of_birth"],
        "gender": person["gender"],
    }
    case.rows.append(("children_services", {**row, **columns}))
    return case


def referral(
    case: FamilyCase, name: str, issues: str, on: date | None = None, family_ref: str | None = None
) -> FamilyCase:
    day = on or months_ago(2)
    return case.says("referrals", name, issues=issues, referrer="GP surgery", referred_on=day, family_ref=family_ref)
