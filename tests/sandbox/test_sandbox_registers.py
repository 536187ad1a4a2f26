"""The departments' registers in the sandbox: coverage, confusable people, the tables of N7, and the true links."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from linkage.errors import Misuse
from linkage.evaluation import schemas
from linkage.identifiers.validity import valid_nino
from linkage.sandbox.canaries import canaries
from linkage.sandbox.population import SANDBOX_AS_OF, Population, make_population
from linkage.sandbox.registers import DEPARTMENTS, Register, department_registers


@pytest.fixture(scope="module")
def borough() -> Population:
    return make_population(20221003, 300, SANDBOX_AS_OF)


@pytest.fixture(scope="module")
def registers(borough: Population) -> dict[str, Register]:
    return department_registers(borough, 20221003)


def test_the_same_arguments_give_the_same_registers(borough: Population, registers: dict[str, Register]) -> None:
    again = department_registers(borough, 20221003)
    for name, register in registers.items():
        assert_frame_equal(register.people, again[name].people)
        assert_frame_equal(register.truth, again[name].truth)
        for table, frame in register.attributes.items():
            assert_frame_equal(frame, again[name].attributes[table])


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_most_records_are_of_people_the_authority_does_not_know(
    registers: dict[str, Register], department: str
) -> None:
    register = registers[department]
    assert 7_800 <= register.people.height <= 8_000
    assert register.truth.height < 0.1 * register.people.height
    assert register.people["record_id"].is_unique().all()
    assert register.truth["record_id"].is_in(register.people["record_id"].implode()).all()
    assert register.truth["person_id"].is_unique().all()


@pytest.mark.parametrize(
    ("department", "who", "low", "high"),
    [
        ("dwp", pl.col("age") >= 19, 0.88, 0.97),
        ("dfe", (pl.col("role") == "child") & pl.col("age").is_between(4, 18), 0.90, 0.99),
        ("moj", pl.col("age") >= 10, 0.08, 0.25),
    ],
)
def test_each_department_covers_the_share_of_the_families_it_would(
    borough: Population, registers: dict[str, Register], department: str, who: pl.Expr, low: float, high: float
) -> None:
    could = borough.people.filter(who)
    known = could.join(registers[department].truth, on="person_id", how="semi")
    assert low < known.height / could.height < high


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_the_tables_are_those_a_return_is_made_from_and_nothing_else(
    registers: dict[str, Register], department: str
) -> None:
    """N7: benefits and employment, contact with the justice system, attendance, attainment and children in need."""
    inputs = schemas.load().department(department).inputs
    tables = registers[department].attributes
    assert {name: tuple(frame.columns) for name, frame in tables.items()} == {
        name: tuple(columns) for name, columns in inputs.items()
    }
    for frame in tables.values():
        assert frame.height > 200
        assert frame["record_id"].is_in(registers[department].people["record_id"].implode()).all()


def test_spells_end_after_they_begin_and_nothing_lies_ahead(registers: dict[str, Register]) -> None:
    tables = {**registers["dwp"].attributes, "cin_spells": registers["dfe"].attributes["cin_spells"]}
    for frame in tables.values():
        assert (frame["started_on"] <= SANDBOX_AS_OF).all()
        ended = frame.drop_nulls("ended_on")
        assert (ended["ended_on"] >= ended["started_on"]).all()
        assert (ended["ended_on"] <= SANDBOX_AS_OF).all()
        assert 0 < ended.height < frame.height


def test_custody_has_days_and_other_disposals_none(registers: dict[str, Register]) -> None:
    offences = registers["moj"].attributes["offences"]
    assert (offences.filter(pl.col("kind") == "custody")["days"] > 0).all()
    assert (offences.filter(pl.col("kind") != "custody")["days"] == 0).all()
    born = offences.join(registers["moj"].people.select("record_id", "date_of_birth"), on="record_id")
    assert born.select(((pl.col("on_date") - pl.col("date_of_birth")).dt.total_days() / 365.25 > 9.5).all()).item()


def test_nobody_misses_more_sessions_than_there_were(registers: dict[str, Register]) -> None:
    attendance = registers["dfe"].attributes["attendance"]
    assert (attendance["sessions_missed"] <= attendance["sessions_possible"]).all()
    assert attendance.select(pl.struct("record_id", "term").is_unique().all()).item()


def test_education_holds_no_nino_and_the_others_hold_valid_ones(registers: dict[str, Register]) -> None:
    assert registers["dfe"].people["nino"].null_count() == registers["dfe"].people.height
    for department in ("dwp", "moj"):
        known = registers[department].people["nino"].drop_nulls()
        assert known.len() > 1_000
        assert known.is_unique().all()
        assert pl.select(valid_nino(pl.lit(known)).all()).item()


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_records_differ_from_the_authoritys_at_realistic_rates(
    borough: Population, registers: dict[str, Register], department: str
) -> None:
    register = registers[department]
    both = register.truth.join(register.people, on="record_id").join(borough.people, on="person_id", suffix="_told")
    name = (both["forename"] != both["forename_told"]) | (both["surname"] != both["surname_told"])
    assert 0.03 < name.mean() < 0.14  # type: ignore[operator]
    assert (both["date_of_birth"] != both["date_of_birth_told"]).mean() < 0.05  # type: ignore[operator]
    assert 0.04 < (both["address"] != both["address_told"]).mean() < 0.18  # type: ignore[operator]
    assert (register.truth["usable_identifiers"] >= 3).mean() > 0.93  # type: ignore[operator]


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_there_are_people_easy_to_take_for_somebody_else(
    borough: Population, registers: dict[str, Register], department: str
) -> None:
    register = registers[department]
    strangers = register.people.join(register.truth, on="record_id", how="anti")
    namesakes = strangers.join(borough.people, on=["forename", "surname", "gender"], how="inner")
    assert namesakes.height > 100
    assert (namesakes["date_of_birth"] != namesakes["date_of_birth_right"]).all()
    at_home = strangers.join(borough.people, on=["surname", "address", "postcode"], how="semi")
    assert at_home.height > 60
    twins = strangers.join(borough.people, on=["surname", "date_of_birth", "address"], how="inner")
    assert twins.height > 3
    assert (twins["forename"] != twins["forename_right"]).all()


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_canaries_are_in_every_register_as_the_authority_writes_them(
    borough: Population, registers: dict[str, Register], department: str
) -> None:
    told = set(registers[department].people.select("forename", "surname", "date_of_birth", "postcode").iter_rows())
    found = [one for one in canaries(borough) if (one.forename, one.surname, one.date_of_birth, one.postcode) in told]
    assert len(found) >= 8


def test_a_register_without_room_for_others_is_refused(borough: Population) -> None:
    with pytest.raises(Misuse):
        department_registers(borough, 1, size=600)
