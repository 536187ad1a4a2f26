"""The versioned criteria as frozen records: read from the policy file, every mistake named with its place (N2)."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from linkage import policy, settings
from linkage.errors import FlowRefused
from linkage.feeds import Feed
from linkage.policy.mistakes import PolicyMistake, line_of

ISSUES = ("crime_asb", "school_attendance", "children_need_help", "work_finance", "domestic_abuse", "health")
"""The six issues of the privacy notice, in its order (N2); referrers speak of these whatever the framework."""

FRAMEWORKS = {
    "six_issues": ISSUES,
    "ten_outcomes": (
        "good_education",
        "early_years",
        "health",
        "substance_use",
        "family_relationships",
        "children_safe",
        "crime",
        "domestic_abuse",
        "secure_housing",
        "financial_stability",
    ),
}
"""Issues by framework, in its order: the notice's six, and the ten headline outcomes of Supporting Families 2022-25."""

Role = Literal["adult", "child", "expectant_parent", "non_resident_parent"]

Ages = tuple[Annotated[int, Field(ge=0, le=120)], Annotated[int, Field(ge=0, le=120)]]
ListColumn = Literal["person_ref", "family_ref", "role"]
Need = Literal["issue_count", "points", "latest_evidence", "waiting"]
Positive = Annotated[int, Field(ge=1)]
_STRICT = ConfigDict(extra="forbid", strict=False)
_KINDS = ("event", "open", "ahead", "terms", "stands")


@dataclass(frozen=True, config=_STRICT)
class Timing:
    """When evidence counts: exactly one of `event`, `open`, `ahead` (columns), `terms` (a number) and `stands`."""

    event: str | None = None
    open: str | None = None
    until: str | None = None
    ahead: str | None = None
    begun: str | None = None
    months: Positive | None = None
    terms: Positive | None = None
    stands: Literal[True] | None = None

    @property
    def kind(self) -> str:
        """Which of the five kinds of timing this is."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @property
    def columns(self) -> tuple[str, ...]:
        """The date columns it reads."""
        return tuple(c for c in (self.event, self.open, self.until, self.ahead, self.begun) if c)


@dataclass(frozen=True, config=_STRICT)
class Indicator:
    """One kind of evidence for an issue: where it comes from, whose counts, when, and how pressing it is."""

    name: str
    says: str
    feed: Feed
    roles: tuple[Role, ...]
    timing: Timing
    points: Annotated[int, Field(ge=0)]
    ages: Ages | None = None
    ages_on: Literal["as_of", "evidence"] = "as_of"
    where: dict[str, tuple[bool | str, ...]] = Field(default_factory=dict)
    at_least: dict[str, int] = Field(default_factory=dict)
    total: dict[str, Positive] = Field(default_factory=dict)
    share_missed_percent: Annotated[int, Field(ge=1, le=100)] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The feed's columns it reads, date columns included."""
        return tuple(dict.fromkeys((*self.where, *self.at_least, *self.total, *self.timing.columns)))


@dataclass(frozen=True, config=_STRICT)
class Issue:
    """One of the framework's issues and the indicators that show it; without any, no feed can supply it."""

    title: str
    indicators: tuple[Indicator, ...]


@dataclass(frozen=True, config=_STRICT)
class Dependants:
    """What makes a group of people a family: a dependent child, or an expectant parent where this version says so."""

    child_to_age: Positive
    young_person_ages: Ages
    young_person_education: tuple[str, ...]
    expectant_parent_counts: bool


@dataclass(frozen=True, config=_STRICT)
class Terms:
    """The school calendar: a term's last day as month-day, how many terms late a school may deliver, pupils' ages."""

    last_days: dict[Literal["spring", "summer", "autumn"], str]
    late_by: Annotated[int, Field(ge=0, le=3)]
    pupil_ages: Ages


@dataclass(frozen=True, config=_STRICT)
class Ranking:
    """The figures of the ranking (N4): by what families are put in order, one after the other, and the points."""

    person_points: Annotated[int, Field(ge=0)]
    order: Annotated[tuple[Need, ...], Field(min_length=1)] = ("issue_count", "points", "latest_evidence", "waiting")


@dataclass(frozen=True, config=_STRICT)
class Invitations:
    """How many families one round takes on, and which statuses may be invited (N4)."""

    capacity: Annotated[int, Field(ge=0)]
    statuses: tuple[str, ...]


def _as_said() -> dict[str, tuple[str, ...]]:
    return {issue: (issue,) for issue in ISSUES}


@dataclass(frozen=True, config=_STRICT)
class Criteria:
    """One version of the criteria; `effective_to` is its last day, None while it is in force."""

    version: str
    programme: str
    framework: Literal["six_issues", "ten_outcomes"]
    effective_from: date
    minimum_issues: Annotated[int, Field(ge=1, le=10)]
    non_resident_parent_issues: Annotated[int, Field(ge=0, le=6)]
    dependants: Dependants
    terms: Terms
    issues: dict[str, Issue]
    referrals: Indicator
    ranking: Ranking
    invitations: Invitations
    need_to_know: dict[Feed, tuple[ListColumn, ...]]
    referred_as: dict[str, tuple[str, ...]] = Field(default_factory=_as_said)
    effective_to: date | None = None

    def require_in_force(self, as_of: date) -> None:
        """Refuse to identify by criteria that were not in force on `as_of`. Raises FlowRefused (N2)."""
        if as_of < self.effective_from or (self.effective_to is not None and as_of > self.effective_to):
            raise FlowRefused("N2", f"criteria {self.version} are not in force on {as_of}; give a version that is")

    def feeds_of(self, issue: str) -> tuple[str, ...]:
        """The feeds that can show `issue`; referrals aside, since silence there says nothing. None: no feed can."""
        return tuple(dict.fromkeys(i.feed for i in self.issues[issue].indicators if i.feed != "referrals"))


class CriteriaMistake(PolicyMistake):
    """The criteria file does not hold together; the message names file, line where known, and key."""


def load(path: Path | None = None) -> Criteria:
    """The criteria in `path`, by default those the programme file names. Raises CriteriaMistake."""
    return _load(path or settings.load().policy_dir / f"{policy.load().file.programme.criteria}.toml")


@lru_cache(maxsize=8)
def _load(path: Path) -> Criteria:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise CriteriaMistake(f"{path.name}: no such criteria file; see policy/early_help_2015.toml") from None
    return read(text, path.name)


def read(text: str, name: str) -> Criteria:
    """Criteria from TOML `text`, called `name` in messages. Raises CriteriaMistake."""
    try:
        criteria = TypeAdapter(Criteria).validate_python(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise CriteriaMistake(f"{name}: not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CriteriaMistake(f"{name}, line {_line(text, first['loc'])}: {place}: {first['msg']}") from None
    _check_issues(criteria, name)
    for issue, part in criteria.issues.items():
        for indicator in part.indicators:
            _check_indicator(indicator, f"{name}: issues.{issue}.{indicator.name}")
    _check_indicator(criteria.referrals, f"{name}: referrals")
    _check_calendar(criteria, name)
    return criteria


def _line(text: str, loc: tuple[int | str, ...]) -> int:
    if len(loc) > 1:
        return line_of(text, loc)
    lines = enumerate(text.splitlines(), 1)
    return next((n for n, line in lines if re.match(rf"{re.escape(str(loc[0]))}\s*=", line)), 1) if loc else 1


def _check_issues(criteria: Criteria, name: str) -> None:
    expected = FRAMEWORKS[criteria.framework]
    if set(criteria.issues) != set(expected):
        odd = ", ".join(sorted(set(criteria.issues) ^ set(expected)))
        named = criteria.framework.replace("_", " ")
        raise CriteriaMistake(f"{name}: issues: exactly the {named} of the framework (N2) are needed; see {odd}")
    if criteria.minimum_issues > len(expected):
        raise CriteriaMistake(f"{name}: minimum_issues: there are only {len(expected)} issues")
    told = {issue for shown in criteria.referred_as.values() for issue in shown}
    if set(criteria.referred_as) != set(ISSUES) or told - set(expected):
        raise CriteriaMistake(f"{name}: referred_as: one line for each of the six issues that a referrer may name")
    names = [i.name for part in criteria.issues.values() for i in part.indicators] + [criteria.referrals.name]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise CriteriaMistake(f"{name}: issues: indicator named twice: {', '.join(twice)}")
    if criteria.effective_to is not None and criteria.effective_to < criteria.effective_from:
        raise CriteriaMistake(f"{name}: effective_to: before effective_from")


def _check_indicator(indicator: Indicator, place: str) -> None:
    timing = indicator.timing
    if sum(getattr(timing, kind) is not None for kind in _KINDS) != 1:
        raise CriteriaMistake(f"{place}: timing: give exactly one of {', '.join(_KINDS)}")
    if timing.kind in ("event", "ahead") and timing.months is None:
        raise CriteriaMistake(f"{place}: timing: '{timing.kind}' needs months")
    if timing.kind == "open" and timing.until is None:
        raise CriteriaMistake(f"{place}: timing: 'open' needs until")
    if (timing.kind == "terms") != (indicator.feed == "schools"):
        raise CriteriaMistake(f"{place}: timing: terms are for the schools feed, and it for terms")
    if timing.kind != "terms" and (indicator.total or indicator.share_missed_percent):
        raise CriteriaMistake(f"{place}: total and share_missed_percent are for timing by terms")
    if indicator.ages is not None and indicator.ages[0] > indicator.ages[1]:
        raise CriteriaMistake(f"{place}: ages: the first is above the second")
    if not indicator.roles:
        raise CriteriaMistake(f"{place}: roles: nobody's evidence would count")


def _check_calendar(criteria: Criteria, name: str) -> None:
    if set(criteria.terms.last_days) != {"spring", "summer", "autumn"}:
        raise CriteriaMistake(f"{name}: terms.last_days: spring, summer and autumn are needed")
    for term, day in criteria.terms.last_days.items():
        try:
            date.fromisoformat(f"2023-{day}")
        except ValueError:
            raise CriteriaMistake(f"{name}: terms.last_days.{term}: a month-day such as 07-31 is needed") from None
