"""Requests from the letter to the answer, on the real servers (N21, S1 to S4)."""

from __future__ import annotations

import json
import stat
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from linkage import clock
from linkage.custody.evidence import ledger
from linkage.errors import CheckFailed, FlowRefused, LinkageError, Misuse
from linkage.rights import commands, requests

pytestmark = pytest.mark.servers

TOLD = {
    "forename": "MAYA",
    "surname": "Quillfeather",
    "date_of_birth": "2009-04-17",
    "address": "12 Acre Lane",
    "postcode": "SW2 5SG",
}


def carried(kind: str, **more: Any) -> tuple[str, dict[str, Any], list[str]]:
    """A request entered and carried out: its number, its answer, the log."""
    number = requests.enter(kind, [TOLD], **more).number
    lines = requests.carry_out(number)
    return number, requests.answer(number), lines


def test_a_copy_has_the_persons_rows_of_every_store_and_none_of_the_twins(town) -> None:
    """N21, S1: deliveries, census, quarantine, a refused file, the people list, evidence and the family's line."""
    _, answer, _ = carried("access")
    origins = [section["origin"] for section in answer["sections"]]
    for wanted in (
        "case management",
        "schools",
        "police",
        "children services",
        "health",
        "jobcentre",
        "list of people",
    ):
        assert any(wanted in origin for origin in origins), wanted
    assert any("evidence" in origin for origin in origins)
    rows = [row for section in answer["sections"] for row in section["rows"]]
    text = json.dumps(rows)
    assert "Maya" in text
    for other in ("Mina", "MINA", "Rosalind", "AB123456C", "K801200001002"):
        assert other not in text
    schools = next(one for one in answer["sections"] if "schools" in one["origin"])
    assert len(schools["rows"]) == 3  # the surname is spelt otherwise there


def test_of_the_family_a_person_gets_what_was_decided_and_not_what_rests_on_others(town) -> None:
    """S1: other family members redacted."""
    _, answer, _ = carried("access")
    [row] = next(one for one in answer["sections"] if "family" in one["origin"])["rows"]
    assert row["family_ref"] == "F-TWINS"
    assert not {"reasons", "issues", "issue_count", "points", "rank"} & set(row)


def test_somebody_unknown_is_told_that_nothing_is_held(town) -> None:
    """S1"""
    number = requests.enter("access", [{**TOLD, "forename": "Zebedee"}]).number
    requests.carry_out(number)
    answer = requests.answer(number)
    assert "sections" not in answer
    assert answer["answer"][0].startswith("The authority holds nothing")


def test_the_case_records_reference_is_enough_to_find_a_person(town) -> None:
    """S1"""
    number = requests.enter("access", person_ref="P-MAYA").number
    requests.carry_out(number)
    assert len(requests.answer(number)["sections"]) > 5
    with pytest.raises(Misuse, match="nobody under that reference"):
        requests.enter("access", person_ref="P-NOBODY")


def test_a_request_is_carried_out_once_and_then_no_longer_waits(town) -> None:
    """S4"""
    number = requests.enter("access", [TOLD]).number
    assert requests.waiting() == [number]
    requests.carry_out(number)
    assert requests.waiting() == []
    assert requests.carry_out(number) == [f"{number}: was answered before."]


def test_neither_log_nor_list_nor_ledger_nor_register_names_anybody(town) -> None:
    """S4, D10"""
    number, _, lines = carried("access")
    told = json.dumps([one.public() for one in requests.listing()]) + " ".join(lines)
    with town.vault.register.transaction() as session:
        told += " ".join(ledger.leaves(session))
    told += json.dumps([one.public() for one in town.vault.register.find("authority", state=None)])
    assert number in told
    for value in ("Maya", "MAYA", "Quillfeather", "2009-04-17", "Acre", "P-MAYA"):
        assert value not in told


def test_the_clock_is_shown_and_an_overdue_request_says_so(town) -> None:
    """S4: received on Monday 3 October 2022, due on Thursday 3 November."""
    one = requests.enter("access", [TOLD])
    assert (one.received, one.due, one.state) == (date(2022, 10, 3), date(2022, 11, 3), "open")
    clock.set_simulated(clock.at(date(2022, 11, 4), 9))
    assert requests.listing()[0].state == "overdue"
    with pytest.raises(FlowRefused, match="S4"):
        requests.extend(one.number, "complex")


def test_a_complex_request_is_extended_once_and_with_a_reason(town) -> None:
    """S4"""
    number = requests.enter("access", [TOLD]).number
    with pytest.raises(Misuse):
        requests.extend(number, "  ")
    assert requests.extend(number, "many records").due == date(2023, 1, 3)
    with pytest.raises(Misuse):
        requests.extend(number, "still many records")


def test_a_letter_that_came_earlier_counts_from_the_day_it_came(town) -> None:
    """S4"""
    assert requests.enter("access", [TOLD], received=date(2022, 9, 30)).due == date(2022, 10, 31)
    with pytest.raises(Misuse, match="future"):
        requests.enter("access", [TOLD], received=date(2022, 10, 4))


def test_the_same_letter_twice_is_two_requests(town) -> None:
    """S4: each is answered; D2's first copy speaks of data, not of requests."""
    first, second = requests.enter("access", [TOLD]), requests.enter("access", [TOLD])
    assert first.number != second.number
    assert requests.waiting() == [first.number, second.number]


def test_a_copy_goes_with_the_data_it_was_made_of(town) -> None:
    """S1, D4: the copy inherits the earliest deadline of its sources; the answer itself stays."""
    from linkage.custody.destruction import chain as destruction

    number, _, _ = carried("access")
    [copies] = [one for one in town.vault.find("rights_request") if one.label == "copies"]
    sources = [town.vault.register.get(one) for one in town.vault.register.parents(copies.id)]
    assert copies.legal == min(one.legal for one in sources if one.legal)
    destruction.destroy(copies.id, "due")
    assert requests.listing()[0].copy == "destroyed"
    answer = requests.answer(number)
    assert "sections" not in answer
    assert "destroyed" in answer["answer"][-1]


def test_a_correction_reaches_record_list_and_the_next_identification(town) -> None:
    """S2: the affected rules are re-run, and the partner gets the reference and the right value."""
    fix = {"column": "surname", "value": "Quillweather"}
    number, answer, _ = carried("rectify", corrections=[fix])
    newest = town.vault.find("people")[-1]
    people = town.vault.read_frame(newest.id).filter(pl.col("person_id").is_in(["P-MAYA", "P-MINA"]))
    assert dict(people.select("forename", "surname").iter_rows()) == {"Maya": "Quillweather", "Mina": "Quillfeather"}
    assert answer["corrections"]["case_management"] == [
        {"person_ref": "P-MAYA", "column": "surname", "value": "Quillweather"}
    ]
    [case] = [one for one in town.vault.find("delivery") if one.natural_key.startswith("case_management:")]
    assert case.label == "case_management_2022-10-01"
    assert set(requests.listing()[0].untold) == {"case_management", "police"}
    after = requests.acknowledge(number, "police")
    assert set(after.untold) == {"case_management"}
    with pytest.raises(Misuse):
        requests.acknowledge(number, "health")


def test_a_corrected_delivery_never_outlives_the_one_it_replaces(town) -> None:
    """S2, D4: putting a value right does not buy time."""
    before = {one.natural_key.split(":")[0]: one.legal for one in town.vault.find("delivery")}
    carried("rectify", corrections=[{"column": "postcode", "value": "SW2 5SH", "was": "SW2 5SG"}])
    after = {one.natural_key.split(":")[0]: one.legal for one in town.vault.find("delivery")}
    assert after == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"column": "date_of_birth", "value": "17/04/2009"},
        {"column": "nino", "value": "BG123456A"},
        {"column": "surname"},
        {"column": "occurred_on", "value": "2022-01-01"},
    ],
)
def test_a_correction_that_cannot_be_right_is_refused_before_it_is_kept(town, wrong: dict[str, str]) -> None:
    """S2"""
    with pytest.raises(Misuse):
        requests.enter("rectify", [TOLD], corrections=[wrong])
    assert requests.listing() == []


def test_after_erasure_nothing_of_the_person_is_left_and_nothing_of_the_twin_is_lost(town) -> None:
    """N21, S2, D7: every holding is rewritten or gone, and what held the person is certified as destroyed."""
    mina = town.everything().count("Mina")
    held = {one.id for name in ("delivery", "quarantine", "people") for one in town.vault.find(name, superseded=True)}
    number, answer, _ = carried("erase")
    text = town.everything()
    for value in ("Maya", "MAYA", "P-MAYA", "S-Maya", "H801200001001", "Quill-Feather"):
        assert value not in text
    # The identification made anew writes the people list once more; nobody else's row may be fewer.
    assert text.count("Mina") >= mina
    gone = [one for one in held if town.vault.register.get(one).state == "destroyed"]
    assert len(gone) == len(held)
    assert all(town.vault.register.certificate(one) is not None for one in gone)
    assert any("Removed" in line or "removed" in line for line in answer["answer"])
    assert {"case_management", "police", "schools", "health"} <= set(requests.listing()[0].untold)
    assert requests.listing()[0].number == number


def test_an_erasure_that_was_killed_half_way_completes_when_run_again(town, monkeypatch: pytest.MonkeyPatch) -> None:
    """S2, D7"""
    from linkage.custody.destruction import chain as destruction
    from linkage.rights import amend

    done: list[str] = []

    def dies_at_the_third(holding: str, reason: str) -> object:
        done.append(holding)
        if len(done) == 3:
            raise CheckFailed("killed")
        return destruction.destroy(holding, reason)

    number = requests.enter("erase", [TOLD]).number
    with monkeypatch.context() as patched:
        patched.setattr(amend, "destruction", type("D", (), {"destroy": staticmethod(dies_at_the_third)}))
        with pytest.raises(CheckFailed):
            requests.carry_out(number)
    assert requests.waiting() == [number]
    requests.carry_out(number)
    assert "Maya" not in town.everything()
    assert requests.waiting() == []


def test_an_erasure_destroys_earlier_copies_for_the_same_person_only(town) -> None:
    """S2"""
    first, _, _ = carried("access")
    other = requests.enter("access", person_ref="P-MINA").number
    requests.carry_out(other)
    carried("erase")
    copies = {one.number: one.copy for one in requests.listing()}
    assert copies[first] == "destroyed"
    assert copies[other] == "ready"


def test_a_legal_hold_keeps_an_erasure_open(town) -> None:
    """S2, D12: it is blocked where everybody sees it."""
    from linkage.custody.models import HoldingRow

    police = next(one for one in town.vault.find("delivery") if one.natural_key.startswith("police:"))
    with town.vault.register.transaction() as session:
        row = session.get_one(HoldingRow, police.id)
        row.hold_authority, row.hold_scope = "the county court", "police records"
        row.hold_until = clock.at(date(2022, 12, 1), 0)
    number = requests.enter("erase", [TOLD]).number
    with pytest.raises(LinkageError, match="legal hold"):
        requests.carry_out(number)
    assert requests.waiting() == [number]


# ---------------------------------------------------------------- the command


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    for name in ("access", "rectify", "erase", "withdraw", "answer", "told", "extend"):
        made.command(name)(getattr(commands, name))
    made.command("list")(commands.list_requests)
    made.command("carry-out")(commands.carry_out)
    return made


def test_from_a_file_to_a_private_file(town, app: typer.Typer, tmp_path: Path) -> None:
    """S1: identifiers come from a file, the copy goes into one that only its owner reads, and only after a check."""
    asked = tmp_path / "letter.json"
    asked.write_text(json.dumps({"ways": [TOLD]}))
    run = CliRunner()
    entered = run.invoke(app, ["access", "--from", str(asked), "--json"], catch_exceptions=False)
    [number] = [one["number"] for one in json.loads(entered.stdout)]
    run.invoke(app, ["carry-out", number], catch_exceptions=False)
    [listed] = json.loads(run.invoke(app, ["list", "--json"], catch_exceptions=False).stdout)
    assert (listed["number"], listed["state"], listed["copy"]) == (number, "answered", "ready")
    out = tmp_path / "copy.txt"
    refused = run.invoke(app, ["answer", number, "--out", str(out)])
    assert isinstance(refused.exception, FlowRefused)
    assert not out.exists()
    given = run.invoke(app, ["answer", number, "--out", str(out), "--checked-by", "JS"], catch_exceptions=False)
    assert given.exit_code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "Maya" in out.read_text()
    assert "Mina" not in out.read_text()
    assert "Maya" not in entered.output + given.output
    again = run.invoke(app, ["answer", number, "--out", str(out), "--checked-by", "JS"])
    assert isinstance(again.exception, Misuse)


def test_without_a_file_the_person_is_asked_for(town, app: typer.Typer) -> None:
    """S3: a command line would stay in the shell's history."""
    typed = "\n".join(["Maya", "Quillfeather", "2009-04-17", "F", "12 Acre Lane", "SW2 5SG", ""]) + "\n"
    done = CliRunner().invoke(app, ["withdraw", "--json"], input=typed, catch_exceptions=False)
    assert done.exit_code == 0
    assert [one.kind for one in requests.listing()] == ["withdraw"]
