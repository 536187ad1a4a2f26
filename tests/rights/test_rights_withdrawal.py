"""Withdrawal from the letter to ONS's files, on the real servers (S3)."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from linkage import clock, policy
from linkage.custody import transfers
from linkage.custody.destruction import chain as destruction
from linkage.custody.evidence import ledger
from linkage.custody.register import Register
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed
from linkage.evaluation import exchange, link, submit, withdrawn
from linkage.evaluation.schemas import load as schemas
from linkage.rights import requests

pytestmark = [pytest.mark.servers, pytest.mark.parametrize("town", [60], indirect=True)]

WAVE = "2022-autumn"
TOLD = {
    "forename": "Maya",
    "surname": "Quillfeather",
    "date_of_birth": "2009-04-17",
    "address": "12 Acre Lane",
    "postcode": "SW2 5SG",
}
ONS = ("ons-identity", "ons-linker", "ons-research")


def withdraws(told: dict[str, str] = TOLD) -> tuple[list[str], list[str]]:
    """A withdrawal entered and carried out: its answer and its log."""
    number = requests.enter("withdraw", [told]).number
    lines = requests.carry_out(number)
    return requests.answer(number)["answer"], lines


def submitted(town: Any) -> dict[str, dict[str, str]]:
    """The wave prepared and sent to everybody, accepted at ONS; the refs of both twins by forename."""
    submit.prepare_pack(WAVE)
    for recipient in submit.RECIPIENTS:
        submit.send_to(recipient, WAVE)
    for store in ONS:
        exchange.accept(store)
    [pack] = town.vault.find("submission_pack")
    rows = town.vault.read_frame(pack.id).filter(pl.col("surname") == "Quillfeather")
    return {row["forename"]: row for row in rows.to_dicts()}


def departments_answer(town: Any) -> None:
    """Every department returns something for everybody it was asked about."""
    [pack] = town.vault.find("submission_pack", superseded=True)
    frame = town.vault.read_frame(pack.id)
    for department in ("dwp", "moj", "dfe"):
        columns = schemas().department(department).columns[1:]
        values = [
            pl.lit(None, pl.String).alias(one)
            if one.endswith("_result")
            else pl.lit(0.1 if "rate" in one else 0).alias(one)
            for one in columns
        ]
        transfers.send(
            frame.select(pl.col(f"{department}_ref").alias("ref"), *values).sort("ref"),
            sender=department,
            recipient="ons-research",
            dataset_class="department_return",
            programme=policy.load().name,
            wave=WAVE,
            natural_key=f"return:{department}",
        )


def linked() -> None:
    """Index, join and de-identification, as the daily run does them."""
    assert link.waves_to_link() == [WAVE]
    link.send_index(WAVE)
    link.link_returns(WAVE)
    link.deidentify_wave(WAVE)


def at_ons(store: str, dataset_class: str) -> pl.DataFrame:
    """What the store holds of that class now; exactly one holding, nothing superseded left behind."""
    vault = Vault(store)
    [one] = vault.find(dataset_class, wave=WAVE, superseded=True)
    return vault.read_frame(one.id)


def test_who_withdraws_before_a_wave_is_not_in_it_and_the_twin_is(town) -> None:
    """S3"""
    answer, _ = withdraws()
    assert any("will not be in it" in line for line in answer)
    made = submit.prepare_pack(WAVE)
    assert made.suppressed == 1
    [pack] = town.vault.find("submission_pack")
    names = town.vault.read_frame(pack.id).filter(pl.col("surname") == "Quillfeather")["forename"].to_list()
    assert sorted(names) == ["Mina", "Rosalind"]


def test_the_suppression_entry_names_nobody_and_ends_with_the_programme(town) -> None:
    """S3: tokens under a key of its own; the entry has a deadline as well."""
    withdraws()
    [entry] = town.vault.find("suppression")
    assert set(town.vault.read_frame(entry.id).columns) == {"match_key", "person_token"}
    assert entry.legal == clock.at(policy.load().file.programme.closes, 0)


def test_who_withdraws_when_the_pack_is_made_leaves_it_before_it_is_sent(town) -> None:
    """S3"""
    submit.prepare_pack(WAVE)
    [before] = town.vault.find("submission_pack")
    withdraws()
    [after] = town.vault.find("submission_pack", superseded=True)
    assert town.vault.register.get(before.id).state == "destroyed"
    assert after.legal == before.legal
    assert "Maya" not in town.vault.read_frame(after.id)["forename"].to_list()
    assert submit.prepare_pack(WAVE).holding == after.id


def test_nothing_is_half_sent(town) -> None:
    """S3: between two recipients' parts a withdrawal waits, or their files would no longer fit together."""
    submit.prepare_pack(WAVE)
    submit.send_to("ons-identity", WAVE)
    number = requests.enter("withdraw", [TOLD]).number
    with pytest.raises(CheckFailed, match="being sent"):
        requests.carry_out(number)
    assert requests.waiting() == [number]


def test_who_withdraws_before_linking_is_never_in_the_linked_file(town) -> None:
    """S3: the attribute row goes at once; references stay until the departments' late answers have come."""
    refs = submitted(town)
    answer, _ = withdraws()
    assert any("can, because the crosswalk is still held" in line for line in answer)
    for store in ONS:
        exchange.accept(store)
    exchange.accept("ons-research")
    maya, mina = refs["Maya"], refs["Mina"]
    assert maya["identity_ref"] not in at_ons("ons-identity", "identity_file")["identity_ref"].to_list()
    attributes = at_ons("ons-research", "attribute_file")["attribute_ref"].to_list()
    assert maya["attribute_ref"] not in attributes
    assert mina["attribute_ref"] in attributes
    departments_answer(town)
    everybody = at_ons("ons-linker", "crosswalk").height
    linked()
    assert at_ons("ons-research", "linked_file").height == everybody - 1
    _gone_everywhere(maya)


def test_who_withdraws_after_linking_leaves_linked_and_research_file(town) -> None:
    """S3, N12: the research file is made anew, so that nobody is left too alone in it."""
    refs = submitted(town)
    departments_answer(town)
    linked()
    known = at_ons("ons-research", "link_index")
    research_id = known.filter(pl.col("attribute_ref") == refs["Maya"]["attribute_ref"])["research_id"][0]
    twin = known.filter(pl.col("attribute_ref") == refs["Mina"]["attribute_ref"])["research_id"][0]
    assert research_id in at_ons("ons-research", "linked_file")["research_id"].to_list()
    withdraws()
    _gone_everywhere(refs["Maya"])
    assert at_ons("ons-research", "research_families").height > 0
    for dataset_class in ("linked_file", "research_file"):
        assert research_id not in at_ons("ons-research", dataset_class)["research_id"].to_list()
    assert twin in at_ons("ons-research", "linked_file")["research_id"].to_list()


def test_without_the_authoritys_pack_the_linker_finds_the_person_by_tokens(town) -> None:
    """S3: the pack lives a month, the crosswalk until the programme ends; the identity custodian is written to."""
    refs = submitted(town)
    departments_answer(town)
    linked()
    [pack] = town.vault.find("submission_pack")
    destruction.destroy(pack.id, "due")
    answer, _ = withdraws()
    assert requests.listing()[0].untold == ("ons-identity",)
    assert any("identity custodian" in line for line in answer)
    _gone_everywhere(refs["Maya"], identity=False)
    assert refs["Mina"]["linker_ref"] in at_ons("ons-linker", "crosswalk")["linker_ref"].to_list()


def test_when_the_crosswalk_is_destroyed_the_answer_says_that_nothing_can_be_done(town) -> None:
    """S3: the honest answer."""
    submitted(town)
    for dataset_class in ("crosswalk", "compound_tokens"):
        for one in Vault("ons-linker").find(dataset_class):
            destruction.destroy(one.id, "due")
    answer, lines = withdraws()
    assert any("cannot be traced back to you" in line for line in answer)
    assert any("retrieval is impossible" in line for line in lines)
    assert Register.open().find(dataset_class=withdrawn.NOTICE, state=None) == []


def test_a_withdrawal_after_the_programme_ended_is_answered_all_the_same(town) -> None:
    """S3, D3: there is nothing left to be taken out of, and no new entry is made."""
    clock.set_simulated(clock.at(policy.load().file.programme.closes, 9))
    answer, _ = withdraws()
    assert any("The evaluation has ended" in line for line in answer)
    assert town.vault.find("suppression") == []


def test_a_correction_after_sending_is_told_to_the_custodian_and_to_no_department(town) -> None:
    """S2, N10: a letter about somebody would be a record at the department that they are in the evaluation."""
    submitted(town)
    fix = {"column": "surname", "value": "Quillweather"}
    number = requests.enter("rectify", [TOLD], corrections=[fix]).number
    requests.carry_out(number)
    assert requests.listing()[0].untold == ("case_management", "ons-identity", "police")
    assert any("name nobody" in line for line in requests.answer(number)["answer"])


def test_access_says_who_was_sent_the_person(town) -> None:
    """S1: they can be asked while they hold it."""
    submitted(town)
    number = requests.enter("access", [TOLD]).number
    requests.carry_out(number)
    answer = requests.answer(number)
    text = "\n".join(answer["answer"])
    assert "you are in it" in text
    for recipient in submit.RECIPIENTS:
        assert f"{recipient}: " in text
    [pack] = [one for one in answer["sections"] if "evaluation" in one["origin"]]
    assert not [column for column in pack["rows"][0] if column.endswith("_ref")]


def test_neither_notice_nor_ledger_names_anybody(town) -> None:
    """S3, D10"""
    submitted(town)
    withdraws()
    with town.vault.register.transaction() as session:
        told = " ".join(ledger.leaves(session))
    assert "notice" in told
    for value in ("Maya", "Quillfeather", "2009-04-17", "P-MAYA"):
        assert value not in told


def _gone_everywhere(refs: dict[str, str], identity: bool = True) -> None:
    """After two days' exchange no store of ONS holds a reference of the person, and the notices are closed."""
    for _ in range(2):
        for store in ONS:
            exchange.accept(store)
    places = {
        ("ons-linker", "crosswalk"): "linker_ref",
        ("ons-linker", "research_ids"): "linker_ref",
        ("ons-linker", "compound_tokens"): "linker_ref",
        ("ons-research", "attribute_file"): "attribute_ref",
        ("ons-research", "link_index"): "attribute_ref",
    }
    if identity:
        places["ons-identity", "identity_file"] = "identity_ref"
    for (store, dataset_class), column in places.items():
        assert refs[column] not in at_ons(store, dataset_class)[column].to_list(), dataset_class
    research = Vault("ons-research")
    for one in research.find("department_return", superseded=True):
        returned = research.read_frame(one.id)["ref"].to_list()
        assert not {refs["dwp_ref"], refs["moj_ref"], refs["dfe_ref"]} & set(returned)
    assert Register.open().find(dataset_class=withdrawn.NOTICE) == []
