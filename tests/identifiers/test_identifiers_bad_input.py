"""Files as they come: other column types, other scripts, enormous fields; right results, or a clear error."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest

from linkage.errors import Misuse
from linkage.identifiers.standardise import STANDARD, by_value, standardise

PLAIN = pl.DataFrame(
    {
        "record_id": ["1", "2"],
        "forename": ["Ann", "Bo"],
        "surname": ["Lee", None],
        "date_of_birth": ["1999-12-31", None],
        "gender": ["F", "M"],
        "address": ["5", "7 High Street"],
        "postcode": ["SW1A 1AA", None],
        "nino": ["AB123456C", None],
    }
)


@pytest.mark.parametrize(
    "change",
    [
        {"record_id": [1, 2]},
        {"date_of_birth": [date(1999, 12, 31), None]},
        {"date_of_birth": [datetime(1999, 12, 31, 23, 59), None]},
        {
            "forename": pl.Series(["Ann", "Bo"], dtype=pl.Categorical),
            "gender": pl.Series(["F", "M"], dtype=pl.Enum("FM")),
        },
    ],
    ids=["ids as numbers", "dates", "points in time", "categories"],
)
def test_the_type_of_a_column_makes_no_difference(change):
    other = PLAIN.with_columns(**{name: pl.Series(values) for name, values in change.items()})
    assert standardise(other).equals(standardise(PLAIN))


@pytest.mark.parametrize("column", [[["Quill"], ["Wren"]], [b"Quill", b"Wren"], [{"a": "Quill"}, {"a": "Wren"}]])
def test_lists_and_bytes_are_refused_and_the_message_holds_no_value(column):
    with pytest.raises(Misuse, match="column surname holds neither") as refusal:
        standardise(PLAIN.with_columns(surname=pl.Series(column)))
    assert "Quill" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ЖУКОВ", "ЖУКОВ"),
        ("жуков", "ЖУКОВ"),
        ("\u202b\u200fالزهراني\u202c", "الزهراني"),
        ("山田", "山田"),
        ("Иванов Smith", "ИВАНОВSMITH"),
        ("김", "김"),
    ],
)
def test_a_name_in_any_script_is_kept_as_it_is_written(name, told):
    # Hangul is compared decomposed, as all text is: what matters is that equal names are equal and nothing is lost.
    import unicodedata

    got = standardise(PLAIN.head(1).with_columns(surname=pl.lit(name)))["surname"].item()
    assert got == unicodedata.normalize("NFKD", told)


def test_a_field_of_a_megabyte_is_cut_and_costs_nothing():
    huge = PLAIN.with_columns(address=pl.Series([("12 High Street " * 70_000), None]), forename=pl.lit("A" * 1_000_000))
    told = standardise(huge)
    assert told["address"].str.len_chars().max() <= 500
    assert told["street"].to_list() == ["HIGH STREET", None]
    assert told["forename"].str.len_chars().max() == 500


@pytest.mark.parametrize("text", ["0000-00-00", "9999-99-99", "1999-02-29", "2150-01-01", "1899-12-31", "99-1-1", "0"])
def test_an_impossible_date_is_no_date_and_no_error(text):
    assert standardise(PLAIN.with_columns(date_of_birth=pl.lit(text)))["date_of_birth"].null_count() == 2


def test_by_value_is_the_standardised_file_with_each_value_once():
    frame = pl.concat([PLAIN, PLAIN.with_columns(record_id="b" + pl.col("record_id"))])
    told = by_value(frame)
    rows = pl.concat([told.ids.to_frame(), *(one.rows() for one in told.values.values())], how="horizontal")
    assert rows.select(STANDARD).equals(standardise(frame))
    assert len(told.values["forename"].table) == 2
