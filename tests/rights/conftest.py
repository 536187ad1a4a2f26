"""A town for the rights tests: families at an authority on the real stack, with twins of whom one asks."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from base_stack import own_register

from linkage import clock, policy
from linkage.custody.stores import objects
from linkage.custody.vault import Vault
from linkage.early_help import daily

PROGRAMME = "troubled_families_2015_2020"
DAY = date(2022, 10, 3)
PERSON = {
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
CASE = {"family_ref": pl.String, "role": pl.String, "education_status": pl.String, "status": pl.String}
SCHOOL = {
    "upn": pl.String,
    "term": pl.String,
    "sessions_possible": pl.Int32,
    "sessions_authorised": pl.Int32,
    "sessions_unauthorised": pl.Int32,
    "fixed_term_exclusions": pl.Int32,
    "permanent_exclusion": pl.Boolean,
    "missing_education": pl.Boolean,
    "behaviour_provision": pl.Boolean,
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
MAYA = {
    "person_ref": "P-MAYA",
    "forename": "Maya",
    "surname": "Quillfeather",
    "date_of_birth": date(2009, 4, 17),
    "gender": "F",
    "address": "12 Acre Lane",
    "postcode": "SW2 5SG",
}
MINA = {**MAYA, "person_ref": "P-MINA", "forename": "Mina"}
TOLD = {
    "forename": "MAYA",
    "surname": "Quillfeather",
    "date_of_birth": "2009-04-17",
    "address": "12 Acre Lane",
    "postcode": "SW2 5SG",
}
_FORENAMES = ("Olive", "Jack", "Amara", "Tom", "Farzana", "Idris", "Nell", "Omar", "Petra", "Ravi", "Sian", "Will")
_SURNAMES = ("Ashford", "Blackwell", "Cranwick", "Dunstead", "Elderton", "Fairleigh", "Greenworth", "Hawkmere")


@dataclass
class Town:
    """The authority's holdings by feed, and its vault."""

    vault: Vault
    families: int

    def frames(self, dataset_class: str) -> list[pl.DataFrame]:
        """Every frame of a class that the authority still holds, superseded ones too."""
        return [self.vault.read_frame(one.id) for one in self.vault.find(dataset_class, superseded=True)]

    def everything(self) -> str:
        """All that the authority holds except requests, as text: to look for what should not be there."""
        classes = ("delivery", "people", "issue_evidence", "family_list", "submission_pack")
        frames = [frame for name in classes for frame in self.frames(name)]
        raw = [self.vault.read_bytes(one.id) for one in self.vault.find("quarantine", superseded=True)]
        return "\n".join([*(frame.write_json() for frame in frames), *(one.decode("utf-8", "replace") for one in raw)])


@pytest.fixture
def town(request: pytest.FixtureRequest, stack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A register of its own on the real servers, empty stores, deliveries of four feeds and one identification."""
    with own_register(monkeypatch):
        clock.set_simulated(clock.at(DAY, 9))
        _empty()
        try:
            yield _settle(getattr(request, "param", 12))
        finally:
            _empty()
    clock.set_simulated(clock.at(DAY, 9))


def people(families: int) -> list[dict[str, Any]]:
    """The case record: the twins' family and others, all alike enough to be hidden among."""
    draw = random.Random(11)
    rows = [
        _case(MAYA, "F-TWINS", "child"),
        _case(MINA, "F-TWINS", "child"),
        _case(
            {
                **MAYA,
                "person_ref": "P-MUM",
                "forename": "Rosalind",
                "date_of_birth": date(1983, 5, 2),
                "nino": "AB123456C",
            },
            "F-TWINS",
            "adult",
        ),
    ]
    for number in range(families):
        home = {"address": f"{number + 1} Long Road", "postcode": f"SE{1 + number % 20} {number % 9}AB"}
        names = draw.sample(_FORENAMES, 3)
        for role, year in (("adult", 1984), ("child", 2010), ("child", 2009)):
            born = date(year, 1, 1) + timedelta(days=draw.randrange(300))
            person = {
                "person_ref": f"P{number:03d}-{role}-{year}",
                "forename": names.pop(),
                "surname": f"{_SURNAMES[number % len(_SURNAMES)]}{'abcdefghijklmnopqrst'[number // 8]}",
                "date_of_birth": born,
                "gender": "FM"[draw.randrange(2)],
                **home,
            }
            rows.append(_case(person, f"F{number:03d}", role))
    return rows


def _case(person: dict[str, Any], family: str, role: str) -> dict[str, Any]:
    whole = {"education_status": None, "status": "assessed", "assessed_on": date(2022, 1, 10)}
    return {**dict.fromkeys(PERSON), **person, "family_ref": family, "role": role, **whole}


def _settle(families: int) -> Town:
    vault = Vault("authority")
    put(vault, "case_management", pl.DataFrame(people(families), schema={**PERSON, **CASE, "assessed_on": pl.Date}))
    put(vault, "schools", pl.DataFrame(_pupils(), schema={**PERSON, **SCHOOL}))
    put(vault, "police", pl.DataFrame(_records(), schema={**PERSON, **_POLICE}))
    put(vault, "children_services", pl.DataFrame(_census(), schema=CENSUS))
    columns = {"row_no": [3, 4], "column": ["date_of_birth", None], "reason": ["bad_date", "ragged_row"]}
    rows = pl.DataFrame({**columns, "raw": [None, "h1,Mina,Quillfeather,2009-04-17,12 Acre Lane,,x,y"]}).with_columns(
        forename=pl.Series(["Maya", None]),
        surname=pl.Series(["Quillfeather", None]),
        date_of_birth=pl.Series(["2009-04-17", None]),
        address=pl.Series(["12 Acre Lane", None]),
        postcode=pl.Series(["SW2 5SG", None]),
        need=pl.Series(["mental_health", None]),
    )
    vault.put_frame(
        rows,
        "quarantine",
        programme=PROGRAMME,
        natural_key="health:aa:rows",
        label="health_2022-10-01",
        received_at=at(),
    )
    refused = b"name,born\nj1,Maya,Quillfeather,17/04/2009\nj2,Mina,Quillfeather,17/04/2009\nj3,Tom,Other,01/01/1990\n"
    vault.put_bytes(
        refused,
        "quarantine",
        programme=PROGRAMME,
        natural_key="jobcentre:bb",
        label="jobcentre unknown_column",
        received_at=at(),
    )
    daily.identify(DAY)
    return Town(vault, families)


_POLICE = {
    "record_type": pl.String,
    "person_role": pl.String,
    "outcome": pl.String,
    "occurred_on": pl.Date,
    "outcome_on": pl.Date,
}


def _pupils() -> list[dict[str, Any]]:
    nothing = {
        "fixed_term_exclusions": 0,
        "permanent_exclusion": False,
        "missing_education": False,
        "behaviour_provision": False,
    }
    return [
        {
            **dict.fromkeys(PERSON),
            **twin,
            **changes,
            "person_ref": f"S-{twin['forename']}",
            "upn": upn,
            "term": term,
            "sessions_possible": 100,
            "sessions_authorised": missed,
            "sessions_unauthorised": missed,
            **nothing,
        }
        for twin, changes, upn, missed in (
            (MAYA, {"surname": "Quill-Feather"}, "H801200001001", 15),
            (MINA, {}, "K801200001002", 20),
        )
        for term in ("2021-autumn", "2022-spring", "2022-summer")
    ]


def _records() -> list[dict[str, Any]]:
    on = {"occurred_on": date(2022, 5, 1), "outcome_on": None}
    about = {"record_type": "domestic_abuse", "person_role": "victim", "outcome": "no_further_action", **on}
    return [{**dict.fromkeys(PERSON), **twin, "person_ref": f"X-{twin['forename']}", **about} for twin in (MAYA, MINA)]


def _census() -> list[dict[str, Any]]:
    return [
        {
            **dict.fromkeys(CENSUS),
            "person_ref": twin["person_ref"],
            "date_of_birth": twin["date_of_birth"],
            "gender": "F",
            "cin_started_on": date(2022, 3, 1),
        }
        for twin in (MAYA, MINA)
    ]


def put(vault: Vault, feed: str, frame: pl.DataFrame, day: str = "2022-10-01") -> None:
    """A delivery in force."""
    key = f"{feed}:{uuid.uuid4().hex}"
    vault.put_frame(frame, "delivery", programme=PROGRAMME, natural_key=key, label=f"{feed}_{day}", received_at=at())


def at() -> Any:
    """When the deliveries came."""
    return clock.at(DAY, 8)


def _empty() -> None:
    for store in policy.load().stores:
        for kind in ("vault", "inbox"):
            objects.client(store).purge(f"{store}-{kind}", "")
