"""The cohort and the submission: who is in it, and what each recipient sees (N5, N6, N13, S3)."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from linkage.errors import CheckFailed, FlowRefused, Misuse
from linkage.evaluation import schemas, submit
from linkage.evaluation.cohort import build_cohort
from linkage.evaluation.submission import REFS, SubmissionPack, prepare, require_attribute_file, require_identity_file

WAVE_DAY = date(2022, 10, 3)


def people() -> pl.DataFrame:
    rows = [
        (
            "p1",
            "f1",
            "adult",
            "Ada",
            "Lund",
            "1980-10-04",
            "F",
            "1 High St",
            "SW2 1AA",
            "AB123456C",
            "joined",
            "2022-01-10",
        ),
        ("p2", "f1", "child", "Bo", "Lund", "2010-10-03", "M", "1 High St", "SW2 1AA", None, "joined", "2022-01-10"),
        ("p3", "f2", "adult", "Cy", "Marsh", "1975-02-29", "M", "2 High St", "SW2 1AB", None, "assessed", "2022-05-01"),
        ("p4", "f3", "adult", "Di", "North", "1990-01-01", "F", "3 High St", "SW2 1AC", None, "assessed", None),
        ("p5", "f4", "adult", "Ed", "Olsen", "1990-01-01", "M", "4 High St", "SW2 1AD", None, "invited", "2022-12-01"),
        ("p2", "f2", "child", "Bo", "Lund", "2010-10-03", "M", "2 High St", "SW2 1AB", None, "assessed", "2022-05-01"),
    ]
    columns = ["person_id", "family_ref", "role", "forename", "surname", "date_of_birth", "gender", "address"]
    columns += ["postcode", "nino", "status", "assessed_on"]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def families() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "family_ref": ["f1", "f2", "f3", "f4"],
            "issues": ["health;work_finance;crime_asb", "", "crime_asb", "health;crime_asb"],
            "issue_count": [3, 0, 1, 2],
            "identified": [True, False, False, True],
            "invited": [True, False, False, True],
        }
    )


def cohort() -> pl.DataFrame:
    return build_cohort(people(), families(), "2022-autumn", "lambeth", as_of=WAVE_DAY)


def test_a_family_that_was_assessed_but_never_invited_is_in_the_cohort() -> None:
    """N5: assessment decides, not identification, invitation or joining."""
    assert cohort().filter(pl.col("family_ref") == "f2")["status"].to_list() == ["assessed"]


def test_a_family_never_assessed_or_assessed_after_the_wave_is_not_in_the_cohort() -> None:
    assert set(cohort()["family_ref"]) == {"f1", "f2"}


def test_a_person_in_two_families_stands_once_with_the_family_assessed_first() -> None:
    found = cohort().filter(pl.col("person_id") == "p2")
    assert found["family_ref"].to_list() == ["f1"]


def test_age_is_counted_in_completed_years_on_the_day_of_the_wave() -> None:
    ages = dict(cohort().select("person_id", "age_at_wave").iter_rows())
    assert ages == {"p1": 41, "p2": 12, "p3": None}, "29 February 1975 does not exist and is never guessed"


def test_the_wave_of_the_programme_file_gives_the_day() -> None:
    assert build_cohort(people(), families(), "2022-autumn", "lambeth").equals(cohort())
    with pytest.raises(Misuse):
        build_cohort(people(), families(), "1999-spring", "lambeth")


def test_an_assessment_date_that_is_not_a_date_is_an_error_and_not_an_absence() -> None:
    broken = people().with_columns(assessed_on=pl.lit("10/01/2022"))
    with pytest.raises(CheckFailed) as refused:
        build_cohort(broken, families(), "w", "lambeth", as_of=WAVE_DAY)
    assert "10/01/2022" not in str(refused.value)


def test_the_issues_themselves_never_reach_the_cohort() -> None:
    """N7: beside the number of issues, the others by name would say who has a health issue."""
    assert not {"issues", "health", "crime_asb", "domestic_abuse"} & set(cohort().columns)


def test_the_identity_file_is_a_ref_and_exactly_the_identifiers_of_the_notice() -> None:
    """N6."""
    pack = prepare(cohort(), set())
    assert pack.identity_file.columns == [
        "identity_ref", "forename", "surname", "date_of_birth", "gender", "address", "postcode", "nino"
    ]  # fmt: skip


@pytest.mark.parametrize("extra", ["upn", "nhs_number", "family_key", "status"])
def test_anything_more_in_the_identity_file_is_refused(extra: str) -> None:
    """N6."""
    frame = prepare(cohort(), set()).identity_file.with_columns(pl.lit("x").alias(extra))
    with pytest.raises(FlowRefused, match="N6"):
        require_identity_file(frame)


@pytest.mark.parametrize(
    ("extra", "rule"), [("surname", "N13"), ("health", "N7"), ("nhs_number", "N7"), ("shoe", "N3")]
)
def test_the_attribute_file_refuses_identifiers_health_and_anything_unlisted(extra: str, rule: str) -> None:
    """N3, N7, N13."""
    frame = prepare(cohort(), set()).attribute_file.with_columns(pl.lit("x").alias(extra))
    with pytest.raises(FlowRefused, match=rule):
        require_attribute_file(frame)


def test_the_flows_of_the_programme_allow_every_column_that_is_sent() -> None:
    """N3: the submission and the programme file agree."""
    from linkage import policy

    flows = policy.load().file.flow
    pack = prepare(cohort(), set())
    assert set(pack.identity_file.columns) <= set(flows["identity_file"].columns or [])
    assert set(pack.attribute_file.columns) <= set(flows["attribute_file"].columns or [])
    assert set(pack.crosswalk.columns) <= set(flows["crosswalk"].columns or [])


def test_no_two_recipients_share_a_ref_and_row_order_links_nothing() -> None:
    """N13."""
    pack = prepare(cohort(), set())
    refs = [ref for column in REFS for ref in pack.frame[column]]
    assert len(set(refs)) == len(refs)
    assert pack.identity_file["identity_ref"].is_sorted()
    assert pack.attribute_file["attribute_ref"].is_sorted()


def test_the_crosswalk_holds_refs_and_nothing_else() -> None:
    assert set(prepare(cohort(), set()).crosswalk.columns) == set(REFS)


def test_a_stored_pack_sends_the_same_again_and_a_new_pack_does_not() -> None:
    first = prepare(cohort(), set())
    again = SubmissionPack.from_frame(first.frame.clone())
    assert again.identity_file.equals(first.identity_file)
    assert again.crosswalk.equals(first.crosswalk)
    assert not set(prepare(cohort(), set()).crosswalk["dwp_ref"]) & set(first.crosswalk["dwp_ref"])


@pytest.mark.parametrize("gone", [{"p1"}, pl.DataFrame({"person_id": ["p1"]})])
def test_somebody_who_withdrew_is_in_no_file(gone: set[str] | pl.DataFrame) -> None:
    """S3."""
    pack = prepare(cohort(), gone)
    assert "Ada" not in pack.identity_file["forename"].to_list()
    assert pack.frame.height == cohort().height - 1


def test_members_of_a_family_share_a_key_that_is_not_the_authoritys_reference() -> None:
    pack = prepare(cohort(), set())
    keys = dict(pack.frame.select("person_id", "family_key").iter_rows())
    assert keys["p1"] == keys["p2"] != keys["p3"]
    assert not set(keys.values()) & {"f1", "f2"}


def test_each_department_is_asked_under_its_own_ref() -> None:
    pack = prepare(cohort(), set())
    asked = pack.requests
    assert set(asked) == {"dwp", "moj", "dfe"}
    assert set(asked["dwp"]["record_id"]) == set(pack.crosswalk["dwp_ref"])
    assert not set(asked["dwp"]["record_id"]) & set(asked["moj"]["record_id"])
    with pytest.raises(Misuse):
        pack.people_for("nhs")


def test_a_cohort_with_an_unknown_column_is_refused() -> None:
    with pytest.raises(FlowRefused, match="N13"):
        prepare(cohort().with_columns(uprn=pl.lit("1")), set())


def test_the_policy_itself_cannot_let_health_in(tmp_path) -> None:
    """N7: governance may narrow the schemas, never widen them beyond the notice."""
    text = (schemas.settings.load().policy_dir / schemas.FILE).read_text(encoding="utf-8")
    (tmp_path / "widened.toml").write_text(
        text.replace('"cautions", ', '"cautions", "mental_health", '), encoding="utf-8"
    )
    with pytest.raises(Misuse, match="N7"):
        schemas.load(tmp_path / "widened.toml")


def test_the_policy_itself_cannot_name_a_fourth_department(tmp_path) -> None:
    """N7."""
    text = (schemas.settings.load().policy_dir / schemas.FILE).read_text(encoding="utf-8")
    fourth = '[department.hmrc]\ncolumns = ["ref"]\nunmatched = "unknown"\n\n[department.hmrc.inputs]\n\n'
    (tmp_path / "widened.toml").write_text(
        text.replace("[department.dwp]", fourth + "[department.dwp]"), encoding="utf-8"
    )
    with pytest.raises(Misuse, match=r"exactly dwp, moj and dfe \(N7\)"):
        schemas.load(tmp_path / "widened.toml")


def test_a_pack_found_again_says_nothing_about_withdrawals_it_did_not_count() -> None:
    """S3: a re-run must not log that nobody withdrew."""
    again = submit.PackMade("2022-autumn", "hld_1", 1_088, None).lines()
    assert not any("withdrew" in line for line in again)
    assert "2 people who withdrew were left out (S3)." in submit.PackMade("2022-autumn", "hld_1", 1_086, 2).lines()
