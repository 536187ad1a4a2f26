"""`linkage tokenise`: no tokens without a key, for a recipient the policy does not name, or over the budget."""

from __future__ import annotations

import json
import secrets

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

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


def run(folder, *, file="people.csv", recipient="dwp", kind="compound", key=True, out="tokens.parquet"):
    arguments = [
        folder / file,
        "--programme",
        PROGRAMME,
        "--recipient",
        recipient,
        "--kind",
        kind,
        "--out",
        folder / out,
    ]
    result = CliRunner().invoke(
        app, [str(argument) for argument in [*arguments, "--json", *(["--key-file", folder / "key"] if key else [])]]
    )
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_tokens_are_written_with_the_audit_printed(folder):
    result = run(folder)
    assert result.exit_code == 0
    tokens = pl.read_parquet(folder / "tokens.parquet")
    assert tokens["record_id"].n_unique() == 100
    assert {row["match_key"] for row in json.loads(result.stdout)} == set(tokens["match_key"].cast(pl.String))


def test_without_a_key_there_are_no_tokens(folder):
    with pytest.raises(Misuse, match="no default key"):
        run(folder, key=False)
    assert not (folder / "tokens.parquet").exists()


def test_a_weak_key_is_refused(folder):
    (folder / "key").write_text("00" * 32)
    with pytest.raises(Misuse, match="not drawn at random"):
        run(folder)


@pytest.mark.parametrize(("recipient", "kind"), [("ons", "field"), ("mhclg", "compound"), ("authority", "field")])
def test_a_recipient_gets_only_the_kind_of_token_the_policy_names(folder, recipient, kind):
    with pytest.raises(FlowRefused, match="N3"):
        run(folder, recipient=recipient, kind=kind)


def test_tokens_that_many_people_share_do_not_leave(folder):
    """A hundred people of one name and one birthday: every token of theirs is too common, so none is written."""
    run(folder, file="alike.csv")
    assert pl.read_parquet(folder / "tokens.parquet").is_empty()


def test_tokens_over_the_leakage_budget_stop_the_file(folder):
    pair = pl.read_csv(folder / "people.csv", infer_schema=False)
    pl.concat([pair, pair.with_columns(record_id="again" + pl.col("record_id"))]).write_csv(folder / "people.csv")
    with pytest.raises(FlowRefused, match="N3: match-key"):
        run(folder)
    assert not (folder / "tokens.parquet").exists()


def test_an_unknown_programme_and_another_file_type_are_refused(folder):
    with pytest.raises(Misuse, match="parquet"):
        run(folder, out="tokens.csv")
