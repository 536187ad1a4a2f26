"""What the programme file allows and refuses: specifications of D3, D5, D16, N3, N13, N14 and N17."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from linkage import policy
from linkage.errors import FlowRefused
from linkage.policy import PolicyMistake
from linkage.settings import REPOSITORY

FILE = REPOSITORY / "policy" / "troubled_families_2015_2020.toml"
DELIVERY_DAY = datetime(2022, 10, 3, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def programme() -> policy.Programme:
    return policy.read(FILE)


def broken(tmp_path: Path, old: str, new: str) -> Path:
    text = FILE.read_text()
    assert old in text
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(old, new, 1))
    (tmp_path / "evaluation_schemas.toml").write_text((REPOSITORY / "policy" / "evaluation_schemas.toml").read_text())
    return path


def line_with(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_a_class_of_data_without_a_destruction_rule_stops_start_up_and_names_its_line(tmp_path: Path) -> None:
    """D5"""
    path = broken(
        tmp_path,
        '[dataset.crosswalk]\nstores = ["ons-linker"]\nretention = "programme"\n',
        '[dataset.crosswalk]\nstores = ["ons-linker"]\n',
    )
    with pytest.raises(
        PolicyMistake, match=rf"line {line_with(path, '[dataset.crosswalk]')}: dataset.crosswalk.retention.*D5"
    ):
        policy.read(path)


def test_a_rule_that_does_not_exist_is_named_with_its_line(tmp_path: Path) -> None:
    """D5"""
    path = broken(tmp_path, 'retention = "raw_28_days"', 'retention = "some_day"')
    with pytest.raises(PolicyMistake, match=rf"line {line_with(path, 'some_day')}: .*some_day.*D5"):
        policy.read(path)


def test_a_target_that_february_would_break_is_refused(tmp_path: Path) -> None:
    """D1"""
    path = broken(tmp_path, "target_days = 28", "target_days = 30")
    with pytest.raises(PolicyMistake, match=r"target_days.*D1"):
        policy.read(path)


def test_a_snapshot_of_the_key_service_lives_shorter_than_anything_that_is_kept(tmp_path: Path) -> None:
    """D7: with the seal key it would bring destroyed keys back."""
    path = broken(tmp_path, "snapshot_days = 7", "snapshot_days = 28")
    with pytest.raises(PolicyMistake, match=r"snapshot_days.*14 days.*D7"):
        policy.read(path)


def test_personal_data_cannot_be_given_a_rule_that_never_ends(tmp_path: Path) -> None:
    """D5"""
    path = broken(tmp_path, 'retention = "released"\npersonal = false', 'retention = "released"')
    with pytest.raises(PolicyMistake, match="D5"):
        policy.read(path)


def test_a_flow_without_a_lawful_basis_is_refused(tmp_path: Path) -> None:
    """N17"""
    path = broken(tmp_path, 'basis = "Digital Economy Act 2017 s.64; UK GDPR Art 6(1)(e), 9(2)(j)"\n', "")
    with pytest.raises(PolicyMistake, match=r"flow.identity_file.basis.*N17"):
        policy.read(path)


def test_a_role_at_ons_that_would_read_identifiers_and_attributes_is_refused(tmp_path: Path) -> None:
    """N13"""
    path = broken(
        tmp_path,
        '[dataset.identity_file]\nstores = ["ons-identity"]',
        '[dataset.identity_file]\nstores = ["ons-research"]',
    )
    with pytest.raises(PolicyMistake, match="N13"):
        policy.read(path)


def test_toml_that_does_not_parse_says_where(tmp_path: Path) -> None:
    path = broken(tmp_path, "[sweep]", "[sweep")
    with pytest.raises(PolicyMistake, match="line"):
        policy.read(path)


def test_nothing_flows_back_to_the_authority(programme: policy.Programme, tmp_path: Path) -> None:
    """N14: the matrix denies it, and a file that would allow it does not load."""
    for sender in programme.stores:
        if sender != "authority":
            with pytest.raises(FlowRefused, match="N14"):
                programme.require_flow(sender, "authority", "research_file", ["research_id"], DELIVERY_DAY)
    path = broken(tmp_path, 'recipient = "mhclg"', 'recipient = "authority"')
    with pytest.raises(PolicyMistake, match="N14"):
        policy.read(path)


def test_a_flow_that_is_not_written_is_refused(programme: policy.Programme) -> None:
    """N17"""
    with pytest.raises(FlowRefused, match="N17"):
        programme.require_flow("dwp", "moj", "department_request", ["request_ref"], DELIVERY_DAY)


def test_a_column_that_is_not_listed_may_not_travel(programme: policy.Programme) -> None:
    """N3, N6"""
    listed = ["identity_ref", "forename", "nino"]
    assert programme.require_flow("authority", "ons-identity", "identity_file", listed, DELIVERY_DAY).lawful_basis
    with pytest.raises(FlowRefused, match=r"N3.*ethnicity"):
        programme.require_flow("authority", "ons-identity", "identity_file", [*listed, "ethnicity"], DELIVERY_DAY)


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        (datetime(2022, 11, 30, 23, 59, tzinfo=UTC), True),
        (datetime(2022, 12, 1, 0, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 22, tzinfo=UTC), False),
        (datetime(2015, 3, 31, 12, tzinfo=UTC), False),
    ],
)
def test_from_the_first_of_december_2022_nothing_is_taken_in(
    programme: policy.Programme, moment: datetime, open_: bool
) -> None:
    """D3"""
    assert programme.is_open(moment) is open_
    if not open_:
        with pytest.raises(FlowRefused, match="D3"):
            programme.require_flow("authority", "ons-identity", "identity_file", ["nino"], moment)


def test_a_department_request_never_outlives_the_programme(programme: policy.Programme) -> None:
    """D4: received on 15 November, a month would run past the programme's end."""
    told = programme.deadline("department_request", datetime(2022, 11, 15, 9, tzinfo=UTC))
    assert told.legal == datetime(2022, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("department", ["dwp", "moj", "dfe"])
def test_whatever_a_department_holds_of_the_cohort_goes_within_a_month(
    programme: policy.Programme, department: str
) -> None:
    """N10: only its own register, which is not made from the cohort, stays longer."""
    held = {name for name, dataset in programme.file.dataset.items() if department in dataset.stores}
    assert held == {"department_request", "match_working", "department_register"}
    for name in held - {"department_register"}:
        told = programme.deadline(name, DELIVERY_DAY)
        assert told.legal is not None
        assert told.legal <= datetime(2022, 11, 3, 10, tzinfo=UTC)


def test_mhclg_is_sent_released_tables_and_nothing_else(programme: policy.Programme) -> None:
    """N16: neither the research file nor unreleased tables, whoever sends them."""
    for name in set(programme.file.dataset) - {"released_tables"}:
        for sender in programme.stores:
            with pytest.raises(FlowRefused, match="N17"):
                programme.require_flow(sender, "mhclg", name, [], DELIVERY_DAY)
        with pytest.raises(FlowRefused, match="N13"):
            programme.may_hold("mhclg", name)
    assert programme.require_flow("ons-research", "mhclg", "released_tables", ["status"], DELIVERY_DAY).lawful_basis


def test_a_family_list_goes_28_days_after_its_successor(programme: policy.Programme) -> None:
    """D16"""
    current = programme.deadline("family_list", DELIVERY_DAY)
    told = programme.superseded_deadline("family_list", datetime(2022, 10, 4, 9, tzinfo=UTC), current)
    assert told.legal == datetime(2022, 11, 1, 10, tzinfo=UTC)


def test_raw_deliveries_and_quarantine_go_after_28_days(programme: policy.Programme) -> None:
    """D16"""
    for dataset in ("delivery", "quarantine"):
        assert programme.deadline(dataset, DELIVERY_DAY).legal.date() == date(2022, 10, 31)


@pytest.mark.parametrize(
    ("dataset", "gone_on"), [("issue_evidence", date(2023, 10, 3)), ("rights_request", date(2023, 4, 3))]
)
def test_evidence_goes_after_twelve_months_and_a_request_after_six(
    programme: policy.Programme, dataset: str, gone_on: date
) -> None:
    """D16, S4: the notice names no period, so the authority does."""
    assert programme.deadline(dataset, DELIVERY_DAY).legal.date() == gone_on


def test_every_class_of_data_has_a_deadline_or_a_rule_that_says_why_not(programme: policy.Programme) -> None:
    """D5"""
    for name, dataset in programme.file.dataset.items():
        told = programme.deadline(name, DELIVERY_DAY)
        assert (told.legal is not None) or not dataset.personal


def test_an_unknown_class_of_data_is_refused(programme: policy.Programme) -> None:
    """D5"""
    with pytest.raises(FlowRefused, match="D5"):
        programme.deadline("notes_on_families", DELIVERY_DAY)
