"""`linkage link` and `linkage match` as somebody types them: right results, or a clear error that holds no value."""

from __future__ import annotations

import json

import polars as pl
import pytest
import typer
from matching_people import people, second_record
from typer.testing import CliRunner

from linkage.errors import Misuse
from linkage.identifiers.standardise import standardise
from linkage.matching import commands
from linkage.tokens.keys import LinkageKey
from linkage.tokens.tokenise import tokenise

app = typer.Typer()
app.command("link")(commands.link)
app.command("match")(commands.match)


@pytest.fixture
def files(tmp_path):
    everyone = people(80, seed=41)
    everyone[:60].write_csv(tmp_path / "left.csv")
    second_record(everyone[20:], seed=42).select(reversed(everyone.columns)).write_csv(tmp_path / "right.csv")
    return tmp_path


def run(*arguments: object):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_two_csv_files_are_linked_and_the_report_written(files):
    run("link", files / "left.csv", files / "right.csv", "--out", files / "pairs.csv", "--report", files / "report")
    pairs = pl.read_csv(files / "pairs.csv")
    assert pairs.columns == ["left_id", "right_id", "weight", "probability"]
    assert (pairs["left_id"] == pairs["right_id"]).all()
    assert len(pairs) >= 39
    assert json.loads((files / "report" / "report.json").read_text())["links"] == len(pairs)


def test_parquet_in_and_out_gives_the_same_links(files):
    for side in ("left", "right"):
        pl.read_csv(files / f"{side}.csv", infer_schema=False).write_parquet(files / f"{side}.parquet")
    run("link", files / "left.csv", files / "right.csv", "--out", files / "pairs.csv")
    run("link", files / "left.parquet", files / "right.parquet", "--out", files / "pairs.parquet")
    ids = ["left_id", "right_id"]
    assert pl.read_parquet(files / "pairs.parquet").select(ids).equals(pl.read_csv(files / "pairs.csv").select(ids))


def test_column_types_of_a_parquet_file_make_no_difference(files):
    run("link", files / "left.csv", files / "right.csv", "--out", files / "pairs.csv")
    pl.read_csv(files / "left.csv", infer_schema=False).with_columns(
        pl.col("date_of_birth").str.to_date(), pl.col("gender", "surname").cast(pl.Categorical)
    ).write_parquet(files / "typed.parquet")
    run("link", files / "typed.parquet", files / "right.csv", "--out", files / "typed.csv")
    ids = ["left_id", "right_id"]
    assert pl.read_csv(files / "typed.csv").select(ids).equals(pl.read_csv(files / "pairs.csv").select(ids))


def test_stages_are_shown_with_counts_and_the_end_says_what_came_of_it_and_no_value_is_shown(files):
    shown = run("link", files / "left.csv", files / "right.csv", "--out", files / "pairs.csv").stderr
    links = len(pl.read_csv(files / "pairs.csv"))
    assert "standardising left.csv and right.csv" in shown
    assert "Joining tokens of 60 and 60 people" in shown
    assert f"{links} links; {60 - links} people unmatched on the left, {60 - links} on the right;" in shown
    for value in pl.read_csv(files / "left.csv")["surname"].unique():
        assert value not in shown


def test_a_place_that_cannot_be_written_is_refused_before_the_work(files):
    with pytest.raises(Misuse, match="cannot be written there"):
        run("link", files / "left.csv", files / "right.csv", "--out", files / "nowhere" / "pairs.csv")


def test_a_file_of_one_row_and_a_file_of_none_are_files(files):
    one = pl.read_csv(files / "left.csv", infer_schema=False)[30:31]
    one.write_csv(files / "one.csv")
    one.clear().write_csv(files / "none.csv")
    run("link", files / "one.csv", files / "right.csv", "--out", files / "pairs.csv")
    assert len(pl.read_csv(files / "pairs.csv")) == 1
    run("link", files / "none.csv", files / "right.csv", "--out", files / "pairs.csv")
    assert pl.read_csv(files / "pairs.csv").shape == (0, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("forename,surname\nAmbrosine,Quill\n", "no record_id"),
        ("record_id,forename\n1,Ambrosine\n1,Quill\n", "more than once"),
        ("record_id,forename\n,Ambrosine\n", "empty in 1 rows, first in row 1"),
        ("", "not a readable"),
        (b"record_id,forename\n1,Ambr\xff\xfesine\n", "not a readable"),
    ],
)
def test_a_file_that_cannot_be_linked_says_why_and_shows_no_value(files, text, message):
    bad = files / "bad.csv"
    bad.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Misuse, match=message) as refusal:
        run("link", bad, files / "right.csv", "--out", files / "pairs.csv")
    assert "Ambrosine" not in str(refusal.value)
    assert not (files / "pairs.csv").exists()


def test_a_missing_file_is_named(files):
    with pytest.raises(Misuse, match=r"nowhere\.csv: no such file"):
        run("link", files / "nowhere.csv", files / "right.csv", "--out", files / "pairs.csv")


@pytest.mark.parametrize("command", ["link", "match"])
def test_an_engine_that_is_not_there_is_refused_before_the_work_with_the_way_forward(files, command):
    with pytest.raises(Misuse, match="no engine spark in this version: leave --engine out") as refusal:
        run(command, files / "left.csv", files / "right.csv", "--out", files / "pairs.csv", "--engine", "spark")
    assert refusal.value.exit_code == 2
    assert not (files / "pairs.csv").exists()


def test_the_default_engine_may_be_named_and_an_unknown_one_is_a_wrong_call(files):
    named = ["link", str(files / "left.csv"), str(files / "right.csv"), "--out", str(files / "pairs.csv"), "--engine"]
    run(*named, "polars")
    wrong = CliRunner().invoke(app, [*named, "abacus"])
    assert wrong.exit_code == 2
    assert "polars" in wrong.output and "spark" in wrong.output


def test_two_token_files_are_matched(files):
    key = LinkageKey.throwaway()
    for side in ("left", "right"):
        frame = pl.read_csv(files / f"{side}.csv", infer_schema=False)
        tokenise(standardise(frame), key, "compound").write_parquet(files / f"{side}.tokens.parquet")
    run("match", files / "left.tokens.parquet", files / "right.tokens.parquet", "--out", files / "pairs.parquet")
    assert len(pl.read_parquet(files / "pairs.parquet")) >= 39
