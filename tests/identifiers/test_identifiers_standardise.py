"""The canonicalisation contract: the published vectors, and what must hold for any input."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linkage.errors import Misuse
from linkage.identifiers import names, places
from linkage.identifiers import standardise as contract
from linkage.identifiers.standardise import RAW, STANDARD, standardise, unusable

VECTORS = json.loads(Path(contract.__file__).with_name("canonicalisation_vectors.json").read_text(encoding="utf-8"))


def one(**raw: str | None) -> dict[str, str | None]:
    return standardise(pl.DataFrame({"record_id": ["1"]} | {name: [value] for name, value in raw.items()})).row(
        0, named=True
    )


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["why"])
def test_the_published_vectors_hold(vector):
    told = one(**vector["raw"])
    assert {name: told[name] for name in vector["standard"]} == vector["standard"]


def test_the_vectors_are_of_this_version_and_speak_of_every_standard_column():
    assert VECTORS["version"] == contract.VERSION
    assert {name for vector in VECTORS["vectors"] for name in vector["standard"]} == set(STANDARD) - {"record_id"}


def test_columns_may_be_absent_or_null_throughout_and_in_any_order():
    frame = pl.DataFrame({"surname": ["Ng"], "nino": pl.Series([None]), "record_id": [7]})
    told = standardise(frame)
    assert told.columns == list(STANDARD)
    assert told.row(0, named=True)["surname"] == "NG"
    assert told["nino"].null_count() == told["date_of_birth"].null_count() == 1


def test_an_empty_file_standardises_to_an_empty_frame():
    told = standardise(pl.DataFrame(schema={"record_id": pl.String, "forename": pl.String}))
    assert told.shape == (0, len(STANDARD))


def test_row_order_and_record_ids_are_kept():
    told = standardise(pl.DataFrame({"record_id": ["b", "a", "c"], "forename": ["x y", None, "ann"]}))
    assert told["record_id"].to_list() == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("ids", "message"),
    [(["a", "a"], "more than once"), (["a", None], "empty"), (["a", " "], "empty")],
)
def test_record_ids_must_be_there_and_distinct_and_the_message_holds_no_value(ids, message):
    with pytest.raises(Misuse, match=message) as refusal:
        standardise(pl.DataFrame({"record_id": ids, "surname": ["Quillfeather", "Quillfeather"]}))
    assert "Quillfeather" not in str(refusal.value)


def test_a_file_without_record_ids_is_refused():
    with pytest.raises(Misuse, match="no record_id column"):
        standardise(pl.DataFrame({"forename": ["Ann"]}))


def test_unusable_values_are_counted_and_not_shown():
    frame = pl.DataFrame({"record_id": ["1", "2"], "nino": ["TN010190M", None], "date_of_birth": ["31/12/1999", ""]})
    assert unusable(frame, standardise(frame)) == {"nino": 1, "date_of_birth": 1}


def test_dates_given_as_dates_mean_the_same_as_iso_text():
    told = standardise(
        pl.DataFrame({"record_id": ["1"], "date_of_birth": ["1999-12-31"]}).with_columns(
            pl.col("date_of_birth").str.to_date()
        )
    )
    assert told["date_of_birth"].to_list() == ["1999-12-31"]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(*[st.none() | st.text(max_size=30)] * len(RAW)), min_size=1, max_size=8))
def test_any_text_at_all_standardises_without_error_and_a_second_time_changes_nothing(rows):
    frame = pl.DataFrame(rows, schema=dict.fromkeys(RAW, pl.String), orient="row").with_row_index("record_id")
    told = standardise(frame)
    again = standardise(told.select("record_id", *RAW))
    for name in ("forename", "surname", "date_of_birth", "gender", "postcode", "nino"):
        assert told[name].to_list() == again[name].to_list(), name
    for text in (told["forename"], told["surname"]):
        assert text.drop_nulls().str.contains(r"^\p{L}+$").all()


odd = st.text(st.sampled_from("aB1 \t\n\u00a0\u2009'’.-/,éßﬁ"), max_size=24)


@settings(deadline=None)
@given(st.lists(st.none() | odd, max_size=12))
def test_a_column_folds_to_what_each_text_alone_folds_to(texts):
    column = pl.Series("text", texts, dtype=pl.String)
    assert names.folded(column).to_list() == pl.select(names.fold(pl.lit(column))).to_series().to_list()


compact = st.text(st.sampled_from("AEIOUYHWCKGSTPXÉשМ"), min_size=1, max_size=9)


@given(st.lists(st.none() | compact, max_size=12))
def test_names_written_below_one_another_sound_as_each_alone(written):
    """However many are read as one text."""
    column = pl.Series("name", written, dtype=pl.String)
    alone = [None if one is None else names.sounds(pl.Series([one]))[0] for one in written]
    for at_once in (3, 100):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(names, "_NAMES_AT_ONCE", at_once)
            assert names.sounds(column).to_list() == alone


street = st.lists(
    st.sampled_from(
        ["12", "12-14", "3/5", "St", "Mill", "O'Hara", "Rd.", "RD", "no", "fixed", "abode", ",", "2,", "/", "-", "é"]
    ),
    max_size=6,
)


@settings(deadline=None)
@example(["12 /, 14 Mill Rd"])  # a range is looked for before commas become spaces
@given(st.lists(street.map(" ".join), min_size=1, max_size=8))
def test_an_address_needs_no_repair_where_its_sign_is_missing(texts):
    """Repairs are made where their sign is found: made everywhere, they give the same words."""
    folded = names.folded(pl.Series("address", texts))
    everywhere = pl.lit(folded)
    for _, repair in (*places._RUN_TOGETHER, *places._WORDS):
        everywhere = repair(everywhere)
    assert places.address_words(folded).to_list() == pl.select(places._somewhere(everywhere)).to_series().to_list()
