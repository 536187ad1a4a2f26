"""`linkage tokenise`: no tokens without a key, for a recipient the policy does not name, or over the budget."""

from __future__ import annotations

import json
import re
import secrets

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from linkage import cli
from linkage.errors import FlowRefused, Misuse
from linkage.tokens import commands

app = typer.Typer()
app.command("tokenise")(commands.tokenise)
PROGRAMME = "troubled_families_2015_2020"


@pytest.fixture
def folder(tmp_path):
    people = pl.DataFrame(
        {
            "record_id": [str(n) for n in range(100)],
            "forename": [f"Name{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(100)],
            "surname": ["Smith"] * 100,
            "date_of_birth": [f"{1950 + n % 50}-{1 + n % 12:02}-{1 + n % 28:02}" for n in range(100)],
        }
    )
    people.write_csv(tmp_path / "people.csv")
    people.with_columns(forename=pl.lit("Ann"), date_of_birth=pl.lit("1980-01-02")).write_csv(tmp_path / "alike.csv")
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(secrets.token_hex(32))
    return tmp_path


def run(
    folder, *extra, file="people.csv", recipient="dwp", kind="compound", key=True, out="tokens.parquet", columns=200
):
    options = {"--programme": PROGRAMME, "--recipient": recipient, "--kind": kind, "--out": folder / out}
    arguments = [folder / file, *(text for option in options.items() for text in option), *extra]
    if key:
        arguments += ["--key-file", folder / "key"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": str(columns)})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def nothing_written(folder) -> bool:
    return {path.name for path in folder.iterdir()} == {"people.csv", "alike.csv", "key"}


def test_tokens_are_written_with_the_audit_printed(folder):
    result = run(folder, "--json")
    assert result.exit_code == 0
    tokens = pl.read_parquet(folder / "tokens.parquet")
    assert tokens["record_id"].n_unique() == 100
    rows = json.loads(result.stdout)
    assert {row["match_key"] for row in rows if row["people"]} == set(tokens["match_key"])
    assert all(row["over"] == [] and row["named_share"] is not None for row in rows)


def test_the_audit_is_a_table_for_people(folder):
    result = run(folder, columns=80)
    assert all(name in result.stdout for name in ("forename-near-surname-dob", "known-surname-dob"))
    assert re.search(r"no key, names \d\.\d{3}% of the others", result.stderr)


def test_rows_are_in_the_order_of_the_tokens_whatever_the_order_of_the_people(folder):
    run(folder)
    tokens = pl.read_parquet(folder / "tokens.parquet")
    pl.read_csv(folder / "people.csv", infer_schema=False).reverse().write_csv(folder / "people.csv")
    run(folder, out="again.parquet")
    assert pl.read_parquet(folder / "again.parquet").equals(tokens)
    for (_,), one in tokens.group_by("match_key"):
        assert one["person_token"].is_sorted()


def test_without_a_key_there_are_no_tokens(folder):
    with pytest.raises(Misuse, match="no default key"):
        run(folder, key=False)
    assert nothing_written(folder)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_a_key_file_that_others_may_read_is_refused(folder, mode):
    (folder / "key").chmod(mode)
    with pytest.raises(Misuse, match="set its mode to 600"):
        run(folder)
    assert nothing_written(folder)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "exactly 32 bytes"),
        ("00" * 32, "not drawn at random"),
        ("ab" * 16, "exactly 32 bytes"),
        ("key", "64 hexadecimal characters"),
        ("63 68 61 6e 67 65 6d 65" * 4, "not drawn at random"),
    ],
    ids=["empty", "default", "short", "text", "changeme"],
)
def test_an_empty_default_or_short_key_is_refused(folder, text, why):
    (folder / "key").write_text(text)
    with pytest.raises(Misuse, match=why):
        run(folder)
    assert nothing_written(folder)


@pytest.mark.parametrize(("recipient", "kind"), [("ons", "field"), ("mhclg", "compound"), ("authority", "field")])
def test_a_recipient_gets_only_the_kind_of_token_the_policy_names(folder, recipient, kind):
    with pytest.raises(FlowRefused, match="N3"):
        run(folder, recipient=recipient, kind=kind)
    assert nothing_written(folder)


def test_tokens_that_many_people_share_do_not_leave(folder):
    """A hundred people of one name and one birthday: every token of theirs is too common, so none is written."""
    run(folder, file="alike.csv")
    assert pl.read_parquet(folder / "tokens.parquet").is_empty()


def test_tokens_over_the_leakage_budget_stop_the_file(folder):
    pair = pl.read_csv(folder / "people.csv", infer_schema=False)
    pl.concat([pair, pair.with_columns(record_id="again" + pl.col("record_id"))]).write_csv(folder / "people.csv")
    with pytest.raises(FlowRefused, match="N3: match-key .* leaks .*shared_share.*so do forename-surname-dob"):
        run(folder)
    assert nothing_written(folder)


def test_over_budget_the_command_says_which_match_keys_and_leaves_with_three(folder, monkeypatch, capsys):
    pair = pl.read_csv(folder / "people.csv", infer_schema=False)
    pl.concat([pair, pair.with_columns(record_id="again" + pl.col("record_id"))]).write_csv(folder / "people.csv")
    names = [folder / "people.csv", "--programme", PROGRAMME, "--recipient", "dwp", "--kind", "compound"]
    paths = ["--out", folder / "tokens.parquet", "--key-file", folder / "key"]
    monkeypatch.setattr("sys.argv", ["linkage", "tokenise", *map(str, [*names, *paths])])
    with pytest.raises(SystemExit) as left:
        cli.main()
    told = capsys.readouterr()
    assert left.value.code == 3
    assert "shared_share" in told.out  # the table is shown all the same
    assert "N3: match-key" in told.err
    assert "Smith" not in told.out + told.err
    assert nothing_written(folder)


def test_an_unknown_programme_and_another_file_type_are_refused(folder):
    with pytest.raises(Misuse, match="parquet"):
        run(folder, out="tokens.csv")
