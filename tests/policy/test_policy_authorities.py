"""Several authorities and waves in one programme file, and returns that ask for less than a schema allows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from linkage import policy
from linkage.errors import FlowRefused, Misuse
from linkage.policy import PolicyMistake
from linkage.settings import REPOSITORY

FILE = REPOSITORY / "policy" / "troubled_families_2015_2020.toml"
DAY = datetime(2022, 10, 3, 9, tzinfo=UTC)
SOUTHWARK = """
[authority.southwark]
store = "authority-southwark"

[store.authority-southwark]
holder = "authority"
role = "early help team and submission officer of a second authority"
"""


def written(folder: Path, *changes: tuple[str, str], more: str = "") -> Path:
    """The programme file with some text exchanged and some added, beside the schemas it names."""
    text = FILE.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "evaluation_schemas.toml").write_bytes((FILE.parent / "evaluation_schemas.toml").read_bytes())
    path = folder / "programme.toml"
    path.write_text(text + more, encoding="utf-8")
    return path


@pytest.fixture
def two(tmp_path: Path) -> policy.Programme:
    return policy.read(written(tmp_path, more=SOUTHWARK))


def test_a_further_authority_may_do_what_the_first_may(two: policy.Programme) -> None:
    """N17: flows and classes that name `authority` speak of every authority of the programme."""
    assert two.authorities == {"lambeth": "authority", "southwark": "authority-southwark"}
    flow = two.require_flow("authority-southwark", "ons-identity", "identity_file", ["identity_ref", "nino"], DAY)
    assert flow.lawful_basis
    two.may_hold("authority-southwark", "submission_pack")
    with pytest.raises(FlowRefused, match="N13"):
        two.may_hold("authority-southwark", "crosswalk")


def test_nothing_goes_back_to_any_authority_nor_from_one_to_another(two: policy.Programme, tmp_path: Path) -> None:
    """N14"""
    for sender in ("ons-research", "ons-linker", "dwp", "mhclg"):
        with pytest.raises(FlowRefused, match="N14"):
            two.require_flow(sender, "authority-southwark", "research_file", ["research_id"], DAY)
    with pytest.raises(FlowRefused, match="N17"):
        two.require_flow("authority", "authority-southwark", "people", ["forename"], DAY)
    path = written(tmp_path, ('recipient = "mhclg"', 'recipient = "authority-southwark"'), more=SOUTHWARK)
    with pytest.raises(PolicyMistake, match="N14"):
        policy.read(path)


def test_an_authority_the_programme_does_not_know_has_no_store(two: policy.Programme) -> None:
    with pytest.raises(Misuse, match="knows no authority"):
        two.store_of("croydon")
    assert two.store_of("") == "authority"


def test_a_deployment_serves_the_authority_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert policy.own_store() == "authority"
    monkeypatch.setenv("LINKAGE_AUTHORITY", "southwark")
    with pytest.raises(Misuse, match="knows no authority"):
        policy.own_store()


@pytest.mark.parametrize(
    "more",
    [
        '[authority.southwark]\nstore = "authority-southwark"\n',
        SOUTHWARK.replace('holder = "authority"', 'holder = "ons"'),
        SOUTHWARK + '[authority.croydon]\nstore = "authority-southwark"\n',
    ],
)
def test_an_authority_needs_a_store_of_its_own(tmp_path: Path, more: str) -> None:
    """N13"""
    with pytest.raises(PolicyMistake, match="N13"):
        policy.read(written(tmp_path, more=more))


def test_a_wave_may_speak_of_days_of_its_own(tmp_path: Path) -> None:
    """N8"""
    more = '\n[[wave]]\nname = "2022-spring"\nsubmit_on = 2022-04-04\nstudy_window = [2021-04-01, 2022-03-31]\n'
    programme = policy.read(written(tmp_path, more=more))
    assert programme.study_window("2022-spring") == (date(2021, 4, 1), date(2022, 3, 31))
    assert programme.study_window("2022-autumn") == programme.file.programme.study_window
    with pytest.raises(Misuse):
        programme.study_window("1999-spring")


def test_a_wave_whose_days_are_not_over_is_refused(tmp_path: Path) -> None:
    """N8: an open spell would else be counted into the future."""
    with pytest.raises(PolicyMistake, match="N8"):
        policy.read(written(tmp_path, ("submit_on = 2022-10-03", "submit_on = 2022-09-30")))


def test_a_programme_may_ask_for_fewer_variables_and_then_only_those_travel(tmp_path: Path) -> None:
    """N3, N7"""
    narrow = ('columns_of = "dwp"', 'columns_of = "dwp"\nvariables = ["months_employed"]')
    programme = policy.read(written(tmp_path, narrow))
    assert programme.variables("dwp") == ("ref", "months_employed")
    assert programme.variables("moj") == policy.load().columns_of["moj"]
    assert programme.require_flow("dwp", "ons-research", "department_return", ["ref", "months_employed"], DAY)
    with pytest.raises(FlowRefused, match=r"N3.*months_on_uc"):
        programme.require_flow("dwp", "ons-research", "department_return", ["ref", "months_on_uc"], DAY)


@pytest.mark.parametrize("asked", ["[]", '["months_employed", "wages"]', '["ref"]'])
def test_a_programme_cannot_ask_for_what_no_schema_allows(tmp_path: Path, asked: str) -> None:
    """N7"""
    wider = ('columns_of = "dwp"', f'columns_of = "dwp"\nvariables = {asked}')
    with pytest.raises(PolicyMistake, match="N7"):
        policy.read(written(tmp_path, wider))
