"""The linked file and the research file: stable ids, no refs, no identifiers, measured anonymity (N8, N12)."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.errors import CheckFailed, FlowRefused
from linkage.evaluation import crowds, measures, schemas
from linkage.evaluation.deidentify import deidentify
from linkage.evaluation.department import minimise_return
from linkage.evaluation.generalise import band, merge_rare
from linkage.evaluation.linked import join_returns, link_index, remember
from linkage.evaluation.submission import SubmissionPack, prepare

WINDOW = (date(2021, 10, 1), date(2022, 9, 30))


def make_cohort(families: int, seed: int = 1) -> pl.DataFrame:
    dice = random.Random(seed)
    rows = []
    for number in range(families):
        status = dice.choice(["assessed", "invited", "joined", "closed"])
        for member in range(dice.randint(1, 4)):
            role, age = ("adult", dice.randint(18, 60)) if member == 0 else ("child", dice.randint(0, 17))
            rows.append(
                {
                    "person_id": f"p{number}-{member}", "family_ref": f"f{number}", "forename": "A",
                    "surname": "B",
                    "date_of_birth": "2000-01-01", "gender": dice.choice(["M", "F"]), "address": "x",
                    "postcode": "SW2 1AA", "nino": None, "authority": "lambeth", "wave": "2022-autumn",
                    "role": role, "status": status,
                    "age_at_wave": age, "assessed_month": f"2022-{dice.randint(1, 9):02d}",
                    "issue_count": dice.randint(0, 4), "identified": status != "assessed",
                }
            )  # fmt: skip
    return pl.DataFrame(rows)


def spells(record_ids: list[str]) -> dict[str, pl.DataFrame]:
    some = record_ids[::2]
    return {
        "benefit_spells": pl.DataFrame(
            {
                "record_id": some,
                "benefit": ["UC"] * len(some),
                "started_on": ["2022-01-01"] * len(some),
                "ended_on": [None] * len(some),
            }
        ),
        "employment_spells": pl.DataFrame(
            {"record_id": record_ids[1::2], "started_on": ["2022-01-01"] * len(record_ids[1::2])}
        ).with_columns(ended_on=pl.lit(None, dtype=pl.String)),
    }


def linked_file(families: int = 150) -> tuple[SubmissionPack, pl.DataFrame, pl.DataFrame]:
    pack = prepare(make_cohort(families), set())
    index = link_index(pack.crosswalk)
    asked = pack.crosswalk["dwp_ref"].to_list()
    matched = pl.DataFrame({"ref": asked[: len(asked) // 2]}).with_columns(record_id=pl.concat_str(pl.lit("d"), "ref"))
    answer = minimise_return("dwp", matched, spells(matched["record_id"].to_list()), WINDOW)
    none = minimise_return(
        "moj",
        pl.DataFrame(schema={"ref": pl.String, "record_id": pl.String}),
        {
            "offences": pl.DataFrame(
                schema={"record_id": pl.String, "kind": pl.String, "on_date": pl.String, "days": pl.Int64}
            )
        },
        WINDOW,
    )
    return pack, index, join_returns(index, pack.attribute_file, {"dwp": answer, "moj": none})


def test_everybody_keeps_one_row_and_no_ref_survives() -> None:
    pack, index, linked = linked_file()
    refs = {ref for column in pack.crosswalk.columns for ref in pack.crosswalk[column]} | set(pack.frame["family_key"])
    values = {value for column in linked.columns for value in linked[column].cast(pl.String).drop_nulls()}
    assert linked.height == pack.frame.height
    assert not refs & values
    assert set(linked["research_id"]) == set(index["research_id"])


def test_families_stay_together_under_a_new_id() -> None:
    pack, _, linked = linked_file()
    assert linked["research_family"].n_unique() == pack.frame["family_ref"].n_unique()


def test_no_match_means_unknown_at_dwp_and_none_at_moj() -> None:
    _, _, linked = linked_file()
    unmatched = linked.filter(~pl.col("in_dwp"))
    assert unmatched.height > 0
    assert unmatched["months_employed"].null_count() == unmatched.height
    assert linked["convictions"].to_list() == [0] * linked.height
    assert linked["absence_rate"].null_count() == linked.height, "DfE has not answered"


def test_the_index_carries_neither_the_linkers_nor_the_identity_ref() -> None:
    """N13."""
    _, index, _ = linked_file(10)
    assert index.columns == ["research_id", "attribute_ref", "dwp_ref", "moj_ref", "dfe_ref"]


def test_whom_the_linker_names_keeps_that_research_id_and_everybody_else_has_a_fresh_one() -> None:
    """N8."""
    pack = prepare(make_cohort(10), set())
    named = pack.crosswalk.select("linker_ref").head(5).with_columns(research_id=pl.lit("a") + pl.col("linker_ref"))
    told = remember(pack.crosswalk, link_index(pack.crosswalk, named))
    assert told.join(named, on=["linker_ref", "research_id"], how="semi").height == 5
    assert told["research_id"].n_unique() == pack.crosswalk.height


def two_authorities() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Crosswalk, research ids and attribute file of two authorities; their first people are one person."""
    packs = [
        prepare(make_cohort(20, seed).with_columns(authority=pl.lit(name)), set())
        for seed, name in ((1, "lambeth"), (2, "southwark"))
    ]
    crosswalk = pl.concat([pack.crosswalk for pack in packs])
    one = [pack.crosswalk["linker_ref"][0] for pack in packs]
    ids = pl.DataFrame({"linker_ref": one, "research_id": ["e" * 32] * 2})
    return crosswalk, ids, pl.concat([pack.attribute_file for pack in packs])


def test_a_person_of_two_authorities_has_a_row_in_each_family_and_one_research_id() -> None:
    """N8: the families of the two authorities stay apart."""
    crosswalk, ids, attributes = two_authorities()
    linked = join_returns(link_index(crosswalk, ids), attributes, {})
    theirs = linked.filter(pl.col("research_id") == "e" * 32)
    assert theirs["authority"].to_list() == ["lambeth", "southwark"]
    assert theirs["research_family"].n_unique() == 2
    assert linked["research_id"].n_unique() == linked.height - 1


def test_what_a_department_says_of_a_person_stands_in_all_rows_of_the_person() -> None:
    """N7: found once, found; the other authority's spelling may have been the worse one."""
    crosswalk, ids, attributes = two_authorities()
    asked = crosswalk.join(ids, on="linker_ref").sort("linker_ref")["moj_ref"].to_list()
    offences = pl.DataFrame({"record_id": ["r"], "kind": ["caution"], "on_date": ["2022-02-01"], "days": [0]})
    answer = minimise_return(
        "moj", pl.DataFrame({"ref": asked[:1], "record_id": ["r"]}), {"offences": offences}, WINDOW
    )
    linked = join_returns(link_index(crosswalk, ids), attributes, {"moj": answer})
    theirs = linked.filter(pl.col("research_id") == "e" * 32)
    assert theirs.select("in_moj", "cautions").rows() == [(True, 1), (True, 1)]
    others = linked.filter(pl.col("research_id") != "e" * 32)
    assert others.select(pl.col("in_moj").any(), pl.col("cautions").sum()).row(0) == (False, 0)


def test_the_same_ids_come_out_when_the_linker_runs_again() -> None:
    pack = prepare(make_cohort(10), set())
    index = link_index(pack.crosswalk)
    assert link_index(pack.crosswalk, remember(pack.crosswalk, index)).equals(index)


def test_a_return_about_somebody_who_was_not_asked_about_is_an_error() -> None:
    pack = prepare(make_cohort(5), set())
    index = link_index(pack.crosswalk)
    stray = pl.DataFrame({"ref": ["c" * 32], "record_id": ["r"]})
    answer = minimise_return("dwp", stray, spells(["r"]), WINDOW)
    with pytest.raises(CheckFailed, match="1 refs"):
        join_returns(index, pack.attribute_file, {"dwp": answer})


def test_a_return_from_somebody_else_is_refused() -> None:
    pack = prepare(make_cohort(5), set())
    with pytest.raises(FlowRefused, match="N7"):
        join_returns(link_index(pack.crosswalk), pack.attribute_file, {"nhs": pack.crosswalk})


def test_every_class_of_the_research_file_holds_k_people_of_several_families() -> None:
    """N12: rows whose quasi-identifiers are emptied are a class of their own."""
    policy = schemas.load().research
    research = deidentify(linked_file()[2])
    classes = research.frame.group_by(policy.people.quasi_identifiers).agg(pl.len().alias("people"))
    homes = research.families.group_by(policy.families.quasi_identifiers).agg(pl.len().alias("families"))
    assert classes["people"].min() >= policy.people.k
    assert homes["families"].min() >= policy.families.k
    assert research.measures["k"] == classes["people"].min()
    assert research.measures["k_families"] >= policy.people.k_families
    assert research.measures["families_k"] == homes["families"].min()
    assert research.measures["unique_share_after"] == 0
    assert research.measures["unique_share_with_one_attribute"] == 0
    assert research.measures["unique_share_before"] > 0.5
    assert research.measures["suppressed_share"] <= policy.people.suppression_budget
    assert 0 < research.measures["masked_share"] <= policy.people.masked_budget


def test_the_research_file_says_of_nobody_with_whom_they_live() -> None:
    """N12: the ages of a household are a fingerprint, so people and families are two files without a common key."""
    _, _, linked = linked_file()
    research = deidentify(linked)
    families = set(linked["research_family"])
    for frame in (research.frame, research.families):
        texts = [frame[name] for name in frame.columns if frame[name].dtype == pl.String]
        assert not families & {value for column in texts for value in column}
    assert "research_id" not in research.families.columns
    assert research.families.height <= linked["research_family"].n_unique()


def test_a_masked_row_keeps_what_released_tables_are_counted_by() -> None:
    """Masking empties bands and months; authority, status and every outcome stay, so no table changes."""
    _, _, linked = linked_file()
    frame = deidentify(linked).frame
    masked = frame.filter(pl.col("age_at_wave").is_null())
    assert masked.height > 0
    assert masked["authority"].null_count() == masked["status"].null_count() == 0
    both = frame.join(linked, on="research_id", suffix="_before")
    employed = both.select((pl.col("months_employed") > 0).eq_missing(pl.col("months_employed_before") > 0))
    assert employed.to_series().mean() > 0.99


def test_a_class_in_which_everybody_has_something_sensitive_is_masked() -> None:
    """N12, l-diversity: the class alone would tell it of each of them."""
    _, _, linked = linked_file()
    odd = linked.with_columns(
        pl.when((pl.col("role") == "adult") & (pl.col("status") == "joined")).then(1).otherwise(0).alias("convictions")
    )
    crowd = schemas.load().research.people
    bare = crowds.treat(odd, crowd.columns, schemas.load().research)
    classes = bare.group_by(*crowd.quasi_identifiers).agg(crowds.has("convictions").all().alias("telling"))
    assert classes["telling"].any()  # left as it is, the file would tell
    assert deidentify(odd).measures["telling_share_convictions"] == 0


@pytest.mark.parametrize(("budget", "measure"), [("masked_budget", "masked"), ("suppression_budget", "dropped")])
def test_a_file_over_a_budget_is_refused_and_the_budget_named(budget: str, measure: str) -> None:
    """N12"""
    rules = schemas.load().research
    figures = {"generalise": (), budget: 0.0}
    tight = replace(rules, people=replace(rules.people, **figures))
    with pytest.raises(FlowRefused, match=rf"N12.*{measure}.*budget"):
        deidentify(linked_file()[2], tight)


def test_a_measure_over_its_budget_blocks_whatever_made_the_file() -> None:
    """N12: the last look is at the measures themselves."""
    rules = schemas.load().research
    good = dict(deidentify(linked_file()[2]).measures)
    measures.require_within(good, rules)
    for name in ("unique_share_after", "families_unique_share_after", "telling_share_convictions", "masked_share"):
        with pytest.raises(FlowRefused, match=f"N12: {name}"):
            measures.require_within(good | {name: 0.5}, rules)


def test_the_research_file_has_bands_where_the_linked_file_had_ages() -> None:
    frame = deidentify(linked_file()[2]).frame
    assert frame["age_at_wave"].drop_nulls().str.contains(r"^(\d+(-\d+|\+)?|all)$").all()
    assert frame["assessed_month"].drop_nulls().str.contains(r"^(20\d\d(-Q[1-4])?|all)$").all()


@pytest.mark.parametrize(
    ("column", "rule"), [("surname", "N12"), ("postcode", "N12"), ("dwp_ref", "N12"), ("nhs_number", "N7")]
)
def test_a_column_without_a_line_in_the_policy_is_refused(column: str, rule: str) -> None:
    linked = linked_file(20)[2].with_columns(pl.lit("x").alias(column))
    with pytest.raises(FlowRefused, match=rule):
        deidentify(linked)


def test_too_few_people_to_hide_in_is_a_refusal_and_not_a_thin_file() -> None:
    """N12: over the suppression budget."""
    with pytest.raises(FlowRefused, match="N12"):
        deidentify(linked_file(4)[2])


def test_the_measures_are_numbers_only() -> None:
    assert all(isinstance(value, int | float) for value in deidentify(linked_file()[2]).measures.values())


def test_k_is_the_policys_and_not_a_constant() -> None:
    rules = schemas.load().research
    policy = replace(rules, people=replace(rules.people, k=12))
    assert deidentify(linked_file()[2], policy).measures["k"] >= 12


def test_bands_take_their_first_value_in() -> None:
    frame = pl.DataFrame({"age": [0, 4, 5, 15, 16, 90, None]}).select(band(pl.col("age"), [0, 5, 16]))
    assert frame["age"].to_list() == ["0-4", "0-4", "5-15", "5-15", "16+", "16+", None]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*"abcdef", None]), max_size=80), st.integers(2, 12))
def test_a_category_that_is_told_apart_is_never_rare(values: list[str | None], minimum: int) -> None:
    merged = merge_rare(pl.Series("c", values, dtype=pl.String), minimum, "other")
    counts = merged.drop_nulls().value_counts(name="n")
    assert merged.null_count() == values.count(None)
    assert all(n >= minimum for category, n in counts.iter_rows() if category != "other")
    if counts.height > 1:
        assert counts["n"].min() >= minimum
