"""`linkage feeds`: the shapes and exit codes that scripts rely on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from linkage.errors import Misuse
from linkage.feeds import commands

CORPUS = Path(__file__).parent / "corpus"

app = typer.Typer()
app.command("check")(commands.check)
app.command("list")(commands.list_feeds)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def check(feed: str, file: Path, *options: str) -> tuple[int, str, str]:
    return run("check", feed, str(file), "--as-of", "2022-10-03", *options)


def test_a_sound_file_leaves_with_0_and_says_how_much_is_accepted() -> None:
    code, out, _ = check("police", CORPUS / "byte-order-mark.csv", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["accepted"], told["quarantined"], told["held"], told["refused"]) == (2, [], None, None)


def test_a_broken_row_leaves_with_1_and_names_row_column_and_reason() -> None:
    code, out, _ = check("police", CORPUS / "unknown-gender-word.csv", "--json")
    told = json.loads(out)
    assert code == 1
    assert told["accepted"] == 1
    assert told["quarantined"] == [{"row": 2, "column": "gender", "reason": "unknown_code"}]


def test_a_refused_file_leaves_with_1_and_the_way_forward_on_stderr() -> None:
    code, out, err = check("police", CORPUS / "latin-1.csv")
    assert (code, out) == (1, "")
    assert "not_utf8" in err
    assert "UTF-8" in err


def test_a_manifest_beside_the_file_is_found_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "police_2022-10-03.csv"
    file.write_bytes((CORPUS / "sound-with-manifest.csv").read_bytes())
    assert check("police", file)[0] == 0
    file.with_suffix(".manifest.json").write_bytes((CORPUS / "checksum-of-other-bytes.manifest.json").read_bytes())
    code, out, _ = check("police", file, "--json")
    assert (code, json.loads(out)["refused"]) == (1, "checksum_mismatch")


@pytest.mark.large
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_output_holds_a_value(options: list[str]) -> None:
    for file in sorted([*CORPUS.glob("*.csv"), *CORPUS.glob("*.xml")])[::3]:
        feed = json.loads((CORPUS / f"{file.stem}.expected.json").read_text())["feed"]
        _, out, err = check(feed, file, *options)
        for value in ("Ada", "Sample", "Test Street", "1985-06-15", "QQ123456C", "HYPERLINK"):
            assert value not in out + err, file.name


def test_a_missing_file_is_a_misuse_that_does_not_repeat_the_path(tmp_path: Path) -> None:
    with pytest.raises(Misuse) as caught:
        check("police", tmp_path / "Quillonbrax.csv")
    assert "Quillonbrax" not in str(caught.value)


def test_an_unknown_feed_is_a_misuse() -> None:
    with pytest.raises(Misuse, match="unknown feed"):
        check("gas_bills", CORPUS / "latin-1.csv")


def test_the_list_has_every_feed_and_its_contract_in_force() -> None:
    code, out, _ = run("list", "--json")
    assert code == 0
    assert {row["feed"]: row["contract"] for row in json.loads(out)}["police"] == "police/1"
    assert len(json.loads(out)) == 9
