"""A disclosure outside every other purpose: a named authority, a reason, two people, a trace in the ledger (N19)."""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from linkage import clock
from linkage.custody import history
from linkage.custody.destruction import chain as destruction
from linkage.custody.destruction import sweep
from linkage.custody.evidence import ledger
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, FlowRefused, LinkageError
from linkage.rights import exceptional, exceptional_commands
from linkage.rights.exceptional import APPROVE, REFUSE
from linkage.rights.figures import load

pytestmark = pytest.mark.servers

TOLD = {"forename": "MAYA", "surname": "Quillfeather", "date_of_birth": "2009-04-17", "postcode": "SW2 5SG"}
ASKED_BY = "social-worker-7"
FIRST, SECOND, THIRD = load().exceptional.approvers


def asked(**more: Any) -> str:
    """A question about one person, unless told otherwise."""
    about = more or {"ways": [TOLD]}
    return exceptional.ask(ASKED_BY, "Lambeth MASH", "protection_from_harm", "CASE 2022/0417", **about).number


def approved(number: str) -> str:
    for user in (FIRST, SECOND):
        exceptional.answer(number, user, APPROVE)
    return number


def test_with_two_approvals_the_persons_copy_is_made_once_and_speaks_of_nobody_else(town) -> None:
    """N19: by the path of the person's own copy, so other members of the family stay redacted."""
    number = approved(asked())
    first = exceptional.hand_over(number, "clerk")
    assert exceptional.hand_over(number, "clerk") == first
    text = json.loads(first)
    assert text["for"] == "Lambeth MASH"
    rows = json.dumps([row for section in text["sections"] for row in section["rows"]])
    assert "Maya" in rows
    assert "Rosalind" not in rows
    assert "Mina" not in rows
    assert len(history.facts("disclosure_made")) == 1


def test_one_holding_is_disclosed_whole_and_no_other(town) -> None:
    [people] = town.vault.find("people")
    told = json.loads(exceptional.hand_over(approved(asked(holding=people.id)), "clerk"))
    assert told["holding"] == people.id
    assert "sections" not in told


@pytest.mark.parametrize("answers", [[], [FIRST], [FIRST, FIRST]])
def test_without_two_different_people_nothing_is_disclosed(town, answers: list[str]) -> None:
    """N19: one person twice is one."""
    number = asked()
    for user in answers:
        exceptional.answer(number, user, APPROVE)
    with pytest.raises(FlowRefused, match="N19: .* of 2 approvals"):
        exceptional.make(number)
    assert [one.label for one in town.vault.find("exceptional_disclosure")] == ["question"]


def test_who_asked_cannot_approve_and_nor_can_anybody_who_is_not_named(town) -> None:
    """N19"""
    mine = exceptional.ask(FIRST, "Lambeth MASH", "protection_from_harm", "CASE 1", ways=[TOLD]).number
    for user in (FIRST, "engineer"):
        with pytest.raises(FlowRefused, match="N19"):
            exceptional.answer(mine, user, APPROVE)


def test_an_answer_written_past_the_command_counts_for_nothing(town) -> None:
    """N19: who may approve is asked again when the disclosure is made, whatever stands in the ledger."""
    number = asked()
    exceptional.answer(number, FIRST, APPROVE)
    ledger.record("disclosure_answer", {"disclosure": number, "user": "engineer", "answer": APPROVE})
    with pytest.raises(FlowRefused, match=r"N19.*not come from an approver"):
        exceptional.make(number)


def test_one_refusal_ends_it(town) -> None:
    number = approved(asked())
    exceptional.answer(number, THIRD, REFUSE)
    with pytest.raises(FlowRefused, match=r"N19.*refused"):
        exceptional.make(number)


@pytest.mark.parametrize(
    "wrong",
    [
        {"asked_by": " "},
        {"authority": ""},
        {"reason": "curiosity"},
        {"reference": "about AB123456C"},
        {"reference": ""},
        {"ways": []},
        {"ways": [{"surname": "Quillfeather"}]},
        {"holding": "hld_1"},
    ],
)
def test_a_question_without_authority_reason_reference_or_with_a_wide_scope_is_none(
    town, wrong: dict[str, Any]
) -> None:
    """N19"""
    good: dict[str, Any] = {
        "asked_by": ASKED_BY, "authority": "Lambeth MASH", "reason": "court_order", "reference": "ORDER 12", "ways": [TOLD]
    }  # fmt: skip
    told = good | wrong
    scope = {name: told.pop(name) for name in ("ways", "holding") if name in told}
    with pytest.raises(LinkageError):
        exceptional.ask(**told, **scope)
    assert history.facts("disclosure_asked") == []


def test_a_disclosure_nobody_asked_for_is_refused(town) -> None:
    [people] = town.vault.find("people")
    with pytest.raises(FlowRefused, match="N19: this disclosure was never asked for"):
        exceptional.make(people.id)


def test_the_ledger_says_who_for_whom_why_and_who_approved_and_nothing_of_the_person(town) -> None:
    """N19, D10"""
    number = approved(asked())
    exceptional.hand_over(number, "clerk")
    [made] = history.facts("disclosure_made")
    assert (made["asked_by"], made["approved_by"]) == (ASKED_BY, sorted([FIRST, SECOND]))
    assert (made["authority"], made["reason"], made["reference"]) == (
        "Lambeth MASH",
        "protection_from_harm",
        "CASE 2022/0417",
    )
    kinds = ("disclosure_asked", "disclosure_answer", "disclosure_made", "disclosure_handed_over")
    text = json.dumps([history.facts(kind) for kind in kinds]).lower()
    for value in ("maya", "quillfeather", "2009-04-17", "sw2"):
        assert value not in text


def test_the_copy_is_sealed_and_gone_within_its_own_days_with_the_question(town) -> None:
    """N19, D16: it inherits the earlier deadline of what it is made of, and the sweep destroys both."""
    exceptional.make(approved(asked()))
    held = town.vault.find("exceptional_disclosure")
    assert len(held) == 2
    assert all(one.legal is not None and one.legal <= clock.now() + timedelta(days=14) for one in held)
    clock.set_simulated(clock.now() + timedelta(days=14))
    sweep.sweep()
    assert town.vault.find("exceptional_disclosure") == []


def test_after_a_week_approvals_no_longer_count(town) -> None:
    number = approved(asked())
    clock.set_simulated(clock.now() + timedelta(days=8))
    with pytest.raises(FlowRefused, match=r"N19.*too long ago"):
        exceptional.make(number)


def test_what_is_destroyed_is_disclosed_to_nobody(town) -> None:
    """N19: after the programme has destroyed its data there is nothing to disclose, approved or not."""
    [people] = town.vault.find("people")
    of_holding, of_person = approved(asked(holding=people.id)), approved(asked())
    for name in ("delivery", "quarantine", "people", "issue_evidence", "family_list"):
        for one in town.vault.find(name, superseded=True):
            destruction.destroy(one.id, "due")
    with pytest.raises(CheckFailed, match="destroyed"):
        exceptional.make(of_holding)
    with pytest.raises(CheckFailed, match="nothing is held"):
        exceptional.make(of_person)
    with pytest.raises(CheckFailed, match="destroyed"):
        asked(holding=people.id)


def test_what_ons_or_a_department_holds_is_out_of_reach(town) -> None:
    """N19, N14: not even two people disclose it from here."""
    other = Vault("dwp").put_bytes(
        b"x", "department_register", programme="troubled_families_2015_2020", natural_key="reg", label="people"
    )
    with pytest.raises(FlowRefused, match="N13"):
        asked(holding=other.id)
    destruction.destroy(other.id, "test")


def test_by_command_from_question_to_sealed_file(town, tmp_path: Path) -> None:
    app = typer.Typer()
    for name in ("ask", "approve", "reject", "hand_over"):
        app.command(name.replace("_", "-"))(getattr(exceptional_commands, name))
    letter = tmp_path / "person.json"
    letter.write_text(json.dumps({"ways": [TOLD]}))
    run = CliRunner()
    about = ["--for", "Lambeth MASH", "--reason", "court_order", "--reference", "ORDER 12", "--from", str(letter)]
    number = run.invoke(app, ["ask", "--by", ASKED_BY, *about]).stdout.strip()
    out = tmp_path / "copy.json"
    hand = ["hand-over", number, "--by", "clerk", "--out", str(out)]
    run.invoke(app, ["approve", number, "--by", FIRST])
    assert isinstance(run.invoke(app, hand).exception, FlowRefused)
    assert not out.exists()
    run.invoke(app, ["approve", number, "--by", SECOND])
    assert run.invoke(app, hand).exit_code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert json.loads(out.read_text())["reference"] == "ORDER 12"


def test_no_policy_lets_one_person_alone_disclose() -> None:
    """N19: the file may narrow the promise, never widen it."""
    from linkage.rights import figures

    assert load().exceptional.approvals >= 2
    with pytest.raises(ValueError, match="N19"):
        figures._exceptional({"approvals": 1, "approvers": ["a", "b"], "valid_days": 7, "reasons": {}})
