"""The linkage key reaches no log, exception, plan, cache or file."""

from __future__ import annotations

import gc
import io
import logging
import secrets
import traceback

import polars as pl
import pytest
from rich.console import Console
from rich.traceback import Traceback
from typer.testing import CliRunner

from linkage.cli import app
from linkage.errors import CheckFailed
from linkage.identifiers.standardise import standardise
from linkage.tokens import rules
from linkage.tokens import tokenise as tokens_module
from linkage.tokens.keys import LinkageKey
from linkage.tokens.leaving import leave
from linkage.tokens.tokenise import hashed, tokenise

PEOPLE = pl.DataFrame(
    {
        "record_id": ["1", "2"],
        "forename": ["Catherine", "Bill"],
        "surname": ["Smith", "Jones"],
        "date_of_birth": ["1984-05-17", "1990-12-24"],
    }
)


def shapes(material: bytes) -> list[bytes]:
    """The key and every key derived from it, as bytes and as hexadecimal characters."""
    key, version = LinkageKey(material), rules.load().version
    derived = [key.match_key(one.kind, one.name, version) for one in rules.load().match_keys]
    return [material, material.hex().encode(), *(text.encode() for text in derived), *map(bytes.fromhex, derived)]


def found(where: bytes, material: bytes) -> bool:
    return any(shape in where or shape.upper() in where for shape in shapes(material))


def plans() -> bytes:
    """Every expression and lazy frame that is still alive, serialised.

    Asked by `type`: `isinstance` also asks `__class__`, which makes other libraries' lazy proxies import what they stand for.
    """
    gc.collect()
    held = gc.get_objects()
    return b"".join(
        [one.meta.serialize() for one in held if type(one) is pl.Expr]
        + [one.serialize() for one in held if type(one) is pl.LazyFrame]
    )


def test_no_plan_that_holds_a_key_outlives_the_call():
    """polars-hash carries the key inside the expression, and a serialised plan would carry it on."""
    material = secrets.token_bytes(32)
    key = LinkageKey(material)
    for kind in ("compound", "field"):
        assert isinstance(tokenise(standardise(PEOPLE), key, kind), pl.DataFrame)
        assert isinstance(leave(standardise(PEOPLE), key, kind), pl.DataFrame)
    assert not found(plans(), material)
    name = rules.load().match_keys[0].name
    kept = pl.col("text").chash.hmac_sha256(key=key.match_key("compound", name, rules.load().version))
    assert kept is not None and found(plans(), material)  # the search does find one that was kept


def test_an_exception_shows_neither_the_key_nor_the_text_even_with_local_variables(monkeypatch):
    material = secrets.token_bytes(32)

    def breaks(digests: pl.Series) -> bytes:
        raise pl.exceptions.ComputeError(f"cannot read {digests.to_list()}")

    monkeypatch.setattr(tokens_module, "_decoded", breaks)
    with pytest.raises(CheckFailed, match="could not be made: ComputeError") as failure:
        tokenise(standardise(PEOPLE), LinkageKey(material), "compound")
    error = failure.value
    assert error.__cause__ is None and error.__context__ is None
    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    shown = io.StringIO()
    console = Console(file=shown, width=400)
    console.print(Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True))
    for text in (told, shown.getvalue()):
        assert "_result" in text
        assert not found(text.encode(), material)
        assert "cannot read" not in text
        assert "<redacted>" in text


def test_an_error_inside_the_hash_itself_shows_no_key(monkeypatch):
    material = secrets.token_bytes(32)
    with pytest.raises(Exception) as failure:  # noqa: PT011  whatever polars raises for numbers
        hashed(pl.Series([[1, 2]]), LinkageKey(material), "compound", "a", 1)
    told = "".join(traceback.TracebackException.from_exception(failure.value, capture_locals=True).format())
    secret = LinkageKey(material).match_key("compound", "a", 1)
    assert not found(told.encode(), material)
    assert secret not in told


def test_nothing_is_logged_not_even_by_a_talkative_engine(monkeypatch, caplog, capfd):
    material = secrets.token_bytes(32)
    monkeypatch.setenv("POLARS_VERBOSE", "1")
    with caplog.at_level(logging.DEBUG):
        leave(standardise(PEOPLE), LinkageKey(material), "compound")
    out = capfd.readouterr()
    assert not found((caplog.text + out.out + out.err).encode(), material)


def test_the_command_leaves_the_key_in_its_own_file_only(tmp_path, monkeypatch):
    material = secrets.token_bytes(32)
    folder, elsewhere = tmp_path / "work", tmp_path / "tmp"
    for one in (folder, elsewhere):
        one.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    monkeypatch.setenv("POLARS_TEMP_DIR", str(elsewhere))
    key_file = folder / "key"
    LinkageKey(material).write(key_file)
    PEOPLE.write_csv(folder / "people.csv")
    arguments = ["--programme", "troubled_families_2015_2020", "--recipient", "dwp", "--kind", "compound"]
    result = CliRunner().invoke(
        app,
        [
            "tokenise",
            str(folder / "people.csv"),
            *arguments,
            "--out",
            str(folder / "t.parquet"),
            "--key-file",
            str(key_file),
        ],
    )
    assert result.exit_code == 0, result.output
    assert not found(result.output.encode(), material)
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.name for path in written} == {"key", "people.csv", "t.parquet"}
    assert not any(found(path.read_bytes(), material) for path in written - {key_file})
