"""What can be planted in a partner's file: evidence that meets one of the six issues, and near misses that do not.

Each plant says whose record it is, what its columns hold and when its dates fall (days before the as-of date; negative
is ahead). `issue` is the truth: what the row is evidence of, by the notice (N2) and the shapes of the deliveries. It is
written here by hand and never computed by the code that identifies families.

Dates keep a week's distance from the twelve months' edge; the edges themselves are for that code's own tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

ISSUES = ("crime_asb", "school_attendance", "children_need_help", "work_finance", "domestic_abuse", "health")

_CHILD = pl.col("role") == "child"
_GROWN = pl.col("role").is_in(["adult", "expectant_parent"])

# Who may carry a plant. Ages are those on the as-of date; 11 to 16 leaves a child 10 to 17 for the year before.
CARRIERS: dict[str, pl.Expr] = {
    "adult": _GROWN,
    "parent": _GROWN & pl.col("slot").is_in(["parent", "stranger"]),
    "mother": _GROWN & pl.col("slot").is_in(["parent", "stranger"]) & pl.col("female"),
    "child_over_10": _CHILD & pl.col("age").is_between(11, 16),
    "pupil": _CHILD & pl.col("age").is_between(5, 15),
    "minor": _CHILD & (pl.col("age") < 18),
    "anybody": _GROWN | (_CHILD & pl.col("age").is_between(11, 16)),
    "nobody": pl.lit(False),  # planted by name only
}

Span = tuple[int, int]


@dataclass(frozen=True)
class Plant:
    """One kind of row. `fields` are fixed texts, `numbers` whole numbers drawn from a span, `ago` dates drawn from a
    span of days before the as-of date, `after` dates a span of days after another date. `meets` is the issue the row is
    evidence of; None is a near miss, filed under `near`."""

    feed: str
    carrier: str
    meets: str | None = None
    near: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, Span] = field(default_factory=dict)
    ago: dict[str, Span] = field(default_factory=dict)
    after: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    weight: float = 1.0  # how readily this plant is chosen among those that fit


RECENT: Span = (3, 357)
LONG_AGO: Span = (410, 1000)
AHEAD: Span = (-340, -20)


def _police(record: str, role: str, outcome: str, when: Span, **kinds: str) -> Plant:
    settled = outcome in ("proven", "no_further_action")
    start = (when[0] + 37, when[1])  # so that the outcome, some weeks on, falls on the same side of the edge
    return Plant(
        "police",
        kinds.pop("carrier"),
        fields={"record_type": record, "person_role": role, "outcome": outcome},
        ago={"occurred_on": start},
        after={"outcome_on": ("occurred_on", 5, 35)} if settled else {},
        **kinds,  # type: ignore[arg-type]
    )


def _probation(order: str, responsible: str, carrier: str = "adult", **kinds: object) -> Plant:
    fields = {"order_type": order, "parenting_responsibility": responsible}
    return Plant("probation", carrier, fields=fields, **kinds)  # type: ignore[arg-type]


def _housing(weeks: Span, **kinds: object) -> Plant:
    return Plant("housing", "adult", numbers={"arrears_weeks": weeks}, **kinds)  # type: ignore[arg-type]


def _benefit(benefit: str, out_of_work: str, carrier: str = "adult", neet: str = "0", **kinds: object) -> Plant:
    fields = {"benefit": benefit, "out_of_work": out_of_work, "neet": neet}
    return Plant("jobcentre", carrier, fields=fields, **kinds)  # type: ignore[arg-type]


def _health(need: str, when: Span, carrier: str = "anybody", **kinds: object) -> Plant:
    return Plant("health", carrier, fields={"need": need}, ago={"recorded_on": when}, **kinds)  # type: ignore[arg-type]


def _care(carrier: str = "minor", nfa: str = "0", **kinds: object) -> Plant:
    return Plant("children_services", carrier, fields={"referral_nfa": nfa}, **kinds)  # type: ignore[arg-type]


def _school(plan: str, **kinds: object) -> Plant:
    return Plant("schools", "pupil", fields={"plan": plan}, **kinds)  # type: ignore[arg-type]


PLANTS: dict[str, Plant] = {
    # Crime and anti-social behaviour
    "offence_child": _police("crime", "offender", "proven", RECENT, carrier="child_over_10", meets="crime_asb"),
    "offence_parent": _police("crime", "offender", "proven", RECENT, carrier="adult", meets="crime_asb"),
    "asb": _police("asb", "offender", "proven", RECENT, carrier="anybody", meets="crime_asb"),
    "asb_landlord": _housing((0, 0), ago={"asb_intervention_on": RECENT}, meets="crime_asb"),
    "licence": _probation("licence", "1", ago={"started_on": (10, 300), "ends_on": AHEAD}, meets="crime_asb"),
    "community_order": _probation(
        "community_order", "1", ago={"started_on": (10, 300), "ends_on": AHEAD}, meets="crime_asb"
    ),
    "suspended": _probation(
        "suspended_sentence", "1", ago={"started_on": (10, 300), "ends_on": AHEAD}, meets="crime_asb"
    ),
    "near_release": _probation("custody", "1", ago={"started_on": (100, 900), "release_on": AHEAD}, meets="crime_asb"),
    "nfa": _police("crime", "offender", "no_further_action", RECENT, carrier="anybody", near="crime_asb"),
    "charged": _police("crime", "offender", "charged", RECENT, carrier="anybody", near="crime_asb"),
    "suspect": _police("crime", "suspect", "pending", RECENT, carrier="anybody", near="crime_asb"),
    "crime_victim": _police("crime", "victim", "proven", RECENT, carrier="anybody", near="crime_asb"),
    "old_offence": _police("crime", "offender", "proven", LONG_AGO, carrier="anybody", near="crime_asb"),
    "asb_victim": _police("asb", "victim", "proven", RECENT, carrier="anybody", near="crime_asb"),
    "old_asb_landlord": _housing((0, 0), ago={"asb_intervention_on": LONG_AGO}, near="crime_asb"),
    "far_release": _probation(
        "custody", "1", ago={"started_on": (30, 300), "release_on": (-1200, -400)}, near="crime_asb"
    ),
    "no_parenting": _probation("custody", "0", ago={"started_on": (100, 900), "release_on": AHEAD}, near="crime_asb"),
    "old_order": _probation(
        "community_order", "1", ago={"started_on": (900, 1200), "ends_on": (380, 800)}, near="crime_asb"
    ),
    # School attendance; the rows are made in attendance.py
    "absent": _school("absent", meets="school_attendance", weight=2.0),
    "absent_a_tenth": _school("absent_a_tenth", meets="school_attendance"),
    "absent_over_two_schools": _school("absent_over_two_schools", meets="school_attendance"),
    "excluded_three_times": _school("excluded_three_times", meets="school_attendance"),
    "excluded_for_good": _school("excluded_for_good", meets="school_attendance"),
    "missing_education": _school("missing_education", meets="school_attendance"),
    "behaviour_provision": _school("behaviour_provision", meets="school_attendance"),
    "just_under_a_tenth": _school("just_under_a_tenth", near="school_attendance"),
    "one_school_bad": _school("one_school_bad", near="school_attendance"),
    "excluded_twice": _school("excluded_twice", near="school_attendance"),
    "absent_long_ago": _school("absent_long_ago", near="school_attendance"),
    # Children who need help
    "in_need": _care(ago={"cin_started_on": (20, 600)}, meets="children_need_help"),
    "section_47": _care(
        ago={"cin_started_on": (60, 340)},
        after={"section47_on": ("cin_started_on", 3, 15), "cin_closed_on": ("cin_started_on", 30, 55)},
        meets="children_need_help",
    ),
    "protection_plan": _care(
        ago={"cin_started_on": (120, 600)},
        after={"cpp_started_on": ("cin_started_on", 20, 40)},
        meets="children_need_help",
    ),
    "once_in_need": _care(ago={"cin_started_on": (700, 1000), "cin_closed_on": (400, 650)}, near="children_need_help"),
    "once_protected": _care(
        ago={"cin_started_on": (800, 1000), "cin_closed_on": (380, 400)},
        after={
            "section47_on": ("cin_started_on", 3, 15),
            "cpp_started_on": ("cin_started_on", 20, 40),
            "cpp_ended_on": ("cin_started_on", 100, 300),
        },
        near="children_need_help",
    ),
    "referral_not_pursued": _care(nfa="1", ago={"cin_started_on": RECENT}, near="children_need_help"),
    # Worklessness and financial exclusion
    "out_of_work_uc": _benefit("UC", "1", ago={"started_on": (30, 900)}, meets="work_finance", weight=2.0),
    "out_of_work_jsa": _benefit("JSA", "1", ago={"started_on": (30, 400)}, meets="work_finance"),
    "out_of_work_esa": _benefit("ESA", "1", ago={"started_on": (30, 900)}, meets="work_finance"),
    "out_of_work_is": _benefit("IS", "1", ago={"started_on": (30, 900)}, meets="work_finance"),
    "neet": _benefit("none", "0", "nobody", "1", ago={"started_on": (30, 200)}, meets="work_finance"),
    "arrears": _housing((8, 40), meets="work_finance"),
    "possession": _housing((0, 7), ago={"possession_notice_on": RECENT}, meets="work_finance"),
    "in_work_uc": _benefit("UC", "0", ago={"started_on": (30, 900)}, near="work_finance"),
    "claim_ended": _benefit("JSA", "1", ago={"started_on": (700, 900), "ended_on": (380, 600)}, near="work_finance"),
    "small_arrears": _housing((1, 7), near="work_finance"),
    "old_possession": _housing((0, 3), ago={"possession_notice_on": LONG_AGO}, near="work_finance"),
    # Domestic abuse
    "abuse_victim": _police("domestic_abuse", "victim", "charged", RECENT, carrier="adult", meets="domestic_abuse"),
    "abuse_victim_child": _police(
        "domestic_abuse", "victim", "proven", RECENT, carrier="child_over_10", meets="domestic_abuse"
    ),
    "abuse_perpetrator": _police(
        "domestic_abuse", "perpetrator", "proven", RECENT, carrier="adult", meets="domestic_abuse"
    ),
    "abuse_suspect": _police(
        "domestic_abuse", "suspect", "no_further_action", RECENT, carrier="adult", near="domestic_abuse"
    ),
    "old_abuse": _police("domestic_abuse", "victim", "proven", LONG_AGO, carrier="adult", near="domestic_abuse"),
    # Health
    "mental_health": _health("mental_health", RECENT, meets="health", weight=2.0),
    "substance_misuse": _health("substance_misuse", RECENT, "adult", meets="health"),
    "new_mother": _health("new_mother", RECENT, "mother", meets="health"),
    "long_term_condition": _health("long_term_condition", RECENT, meets="health"),
    "other_need": _health("other", RECENT, near="health"),
    "old_need": _health("substance_misuse", LONG_AGO, "adult", near="health"),
    # A direct referral is evidence of the issue it names
    **{
        f"referred_{issue}": Plant(
            "referrals", "parent", fields={"issues": issue}, ago={"referred_on": RECENT}, meets=issue, weight=0.3
        )
        for issue in ISSUES
    },
    "old_referral": Plant(
        "referrals",
        "parent",
        fields={"issues": ";".join(ISSUES)},
        ago={"referred_on": LONG_AGO},
        near="health",
        weight=0.5,
    ),
}

# Feed -> the columns its plants fill in; the identifying columns come from spelling.py.
COLUMNS: dict[str, tuple[str, ...]] = {
    feed: tuple(
        dict.fromkeys(
            name
            for plant in PLANTS.values()
            if plant.feed == feed
            for name in (*plant.fields, *plant.numbers, *plant.ago, *plant.after)
        )
    )
    for feed in dict.fromkeys(plant.feed for plant in PLANTS.values())
}
