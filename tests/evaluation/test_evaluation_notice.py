"""The privacy notice's promises about the evaluation, N5 to N17, each shown on one play of three waves on real servers.

Two authorities submit in April, July and October; three departments answer; ONS links and releases; on 30 November nothing is
left. See `three_waves.py` for how it is played.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from base_stack import base_stack
from three_waves import FIRST, ONS, SECOND, STORES, WAVES, Seen, play, write_programme

from linkage import clock, policy
from linkage.custody import keys, transfers
from linkage.custody.evidence import certificate
from linkage.custody.models import LIVE
from linkage.custody.register import Register
from linkage.custody.stores import objects
from linkage.custody.vault import Vault
from linkage.custody.watch import leaks
from linkage.early_help.criteria import load as load_criteria
from linkage.early_help.identify import identify_families
from linkage.errors import FlowRefused, LinkageError
from linkage.evaluation import schemas
from linkage.feeds import FEEDS, receipt
from linkage.policy.schema import DEPARTMENTS
from linkage.release import bundle
from linkage.sandbox import quality
from linkage.sandbox.canaries import canary_patterns
from linkage.sandbox.waves import Wave
from linkage.stack import StackAddresses

pytestmark = pytest.mark.servers
IDENTIFIERS = set(schemas.load().identifiers)
NAMES = {"forename", "surname", "address", "postcode", "nino", "date_of_birth"}


@pytest.fixture(scope="module")
def servers() -> Iterator[StackAddresses]:
    """A stack of its own: at its end nothing may be left of three waves, and nothing of other tests is there."""
    with base_stack() as addresses:
        yield addresses


@pytest.fixture(scope="module")
def seen(servers: StackAddresses, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Played once, to the end; what was there on the way is in `Seen`."""
    os.environ["LINKAGE_POLICY_DIR"] = str(write_programme(tmp_path_factory.mktemp("waves") / "policy"))
    told = Seen()
    for name in play(told):
        if name == "2022-autumn":
            told.again = families_again()
    return told


def families_again() -> pl.DataFrame:
    """The first authority's families worked out once more from its deliveries, now that the evaluation knows them all."""
    vault = Vault(STORES[FIRST])
    accepted = {feed: vault.read_frame(held.id) for feed in FEEDS if (held := receipt.current(vault, feed))}
    return identify_families(accepted, WAVES["2022-autumn"], load_criteria()).families


def everything(seen: Seen, store: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """Every frame a store held in any wave, with its class."""
    for wave in WAVES:
        for dataset_class, frames in seen.frames[wave][store].items():
            yield from ((dataset_class, frame) for frame in frames)


def people(wave: Wave) -> pl.DataFrame:
    return pl.concat([one.people.with_columns(authority=pl.lit(name)) for name, one in wave.boroughs.items()])


# ---------------------------------------------------------------- N5: everybody who was assessed


def test_everybody_of_an_assessed_family_is_in_each_wave_and_nobody_else(seen: Seen) -> None:
    """N5, S3: at both authorities; who withdrew is the only exception."""
    for name, wave in seen.waves.items():
        for authority in (FIRST, SECOND):
            expected = wave.truth.filter(pl.col("authority") == authority)["case_ref"]
            assert set(seen.packs[name][authority]["person_id"]) == set(expected), (name, authority)


def test_families_that_were_neither_identified_nor_invited_nor_joined_are_in_the_evaluation(seen: Seen) -> None:
    """N5"""
    families = seen.lists["2022-autumn"]
    beside = families.filter(~pl.col("identified") & ~pl.col("invited"))["family_ref"]
    sent = pl.concat(seen.frames["2022-autumn"]["ons-research"]["attribute_file"])
    assert families["identified"].sum() > 20
    assert len(set(beside) & set(seen.packs["2022-autumn"][FIRST]["family_ref"])) == beside.len() > 20
    assert {"assessed", "invited", "joined", "closed"} == set(sent["status"])


# ---------------------------------------------------------------- N6: exactly these identifiers


def test_the_identity_custodian_holds_a_reference_and_the_notices_identifiers_and_nothing_more(seen: Seen) -> None:
    """N6, N13"""
    told = list(everything(seen, "ons-identity"))
    assert {name for name, _ in told} == {"identity_file"}
    assert len(told) == 2 * len(WAVES)
    assert all(set(frame.columns) == {"identity_ref", *IDENTIFIERS} for _, frame in told)


# ---------------------------------------------------------------- N7: what departments add, and that is not health


@pytest.mark.parametrize("department", DEPARTMENTS)
def test_each_department_finds_the_people_it_knows_in_every_wave(seen: Seen, department: str) -> None:
    """N7: on tokens alone, against the planted truth; over all waves precision at least 0.999 and recall at least 0.97."""
    told = [seen.match[name][department] for name in WAVES]
    assert all(one["matched"] > 50 and one["precision"] >= 0.99 and one["recall"] >= 0.97 for one in told), told
    right = sum(round(one["precision"] * one["matched"]) for one in told)
    assert right / sum(one["matched"] for one in told) >= 0.999, told


def test_returns_have_the_columns_of_their_schema_and_no_column_about_health_is_anywhere(seen: Seen) -> None:
    """N7"""
    spec = schemas.load()
    shapes = {spec.department(one).columns for one in DEPARTMENTS}
    for name, frame in everything(seen, "ons-research"):
        assert schemas.health_columns(frame.columns, spec.health_words) == [], name
        if name == "department_return":
            assert tuple(frame.columns) in shapes
    assert {"identified", "issue_count"} <= set(seen.frames["2022-autumn"]["ons-research"]["research_file"][0].columns)


def test_a_department_that_would_add_health_data_cannot_send_it(seen: Seen) -> None:
    """N7, N3: refused at the door of custody, whatever the sender's code does."""
    frame = pl.DataFrame({"ref": ["a" * 32], "mental_health": [1]})
    with pytest.raises(FlowRefused):
        sent(frame, "dwp", "ons-research", "department_return", at=date(2022, 11, 1))


# ---------------------------------------------------------------- N8: in waves


def test_a_person_keeps_one_research_id_across_waves_and_authorities(seen: Seen) -> None:
    """N8: precision and recall over all pairs of records of three waves and two authorities."""
    named = pl.concat(seen.named.values())
    assert named["person_id"].null_count() == 0
    told = quality.identity_of(named)
    assert told["precision"] == 1.0, told
    assert told["recall"] >= 0.995, told


@pytest.mark.parametrize("what", ["surname", "address", "authority", "date_of_birth", "nino", "both", "returned"])
def test_whatever_changed_about_a_person_the_research_id_did_not(seen: Seen, what: str) -> None:
    """N8: new surnames, moves within and between authorities, corrected dates and numbers, two families, a wave missed."""
    first, last = seen.waves["2022-spring"], seen.waves["2022-autumn"]
    alone = [people(one).unique("person_id", keep="none") for one in (first, last)]
    joined = alone[0].join(alone[1], on="person_id", suffix="_after")
    if what == "both":
        chosen = people(last).filter(pl.col("person_id").is_duplicated())["person_id"].unique()
    elif what == "returned":
        away = set(people(seen.waves["2022-summer"])["person_id"])
        chosen = joined.filter(~pl.col("person_id").is_in(list(away)))["person_id"]
    else:
        chosen = joined.filter(pl.col(what).ne_missing(pl.col(f"{what}_after")))["person_id"]
    named = pl.concat([seen.named["2022-spring"], seen.named["2022-autumn"]])
    ids = (
        named.filter(pl.col("person_id").is_in(chosen.implode()))
        .group_by("person_id")
        .agg(pl.col("research_id").n_unique())
    )
    assert ids.height >= 3
    assert (ids["research_id"] == 1).mean() >= 0.99


def test_the_families_of_two_authorities_stay_apart_in_the_linked_file(seen: Seen) -> None:
    """N8: a person of both has a row in a family of each, under one research id."""
    linked = seen.frames["2022-autumn"]["ons-research"]["linked_file"][0]
    twice = linked.filter(pl.col("research_id").is_duplicated())
    truth = people(seen.waves["2022-autumn"]).filter(pl.col("person_id").is_duplicated())
    assert twice["research_id"].n_unique() == truth["person_id"].n_unique()
    per_person = twice.group_by("research_id").agg(pl.col("authority", "research_family").n_unique())
    assert per_person.select(pl.col("authority", "research_family").min()).row(0) == (2, 2)
    assert linked.group_by("research_family").agg(pl.col("authority").n_unique())["authority"].max() == 1


def test_departments_keep_nothing_between_waves_and_the_next_wave_works_without_it(seen: Seen) -> None:
    """N8, N10: after the month a department holds its own register and no object that nobody owns."""
    for name in WAVES:
        for department in DEPARTMENTS:
            assert set(seen.at_departments[name][department]) <= {"department_register"}, (name, department)
            assert seen.objects_there[name][department] == 0
    for request in Register.open().find("dwp", "department_request", state=None):
        assert request.state == "destroyed"
        assert not keys.service("dwp").key_exists(str(request.kek))


def test_no_reference_is_used_in_two_waves(seen: Seen) -> None:
    """N8, N10: a department that kept a reference, against its promise, could not use it in the next wave."""
    refs = [set(pl.concat(seen.packs[name].values())["dwp_ref"]) for name in WAVES]
    assert not refs[0] & refs[1] and not refs[1] & refs[2] and not refs[0] & refs[2]


def test_who_withdrew_is_in_no_later_wave_and_left_the_ones_before(seen: Seen) -> None:
    """N8, S3"""
    last = seen.waves["2022-autumn"]
    gone = people(last).filter(pl.col("person_id").is_in(list(last.withdrew)))["case_ref"].to_list()
    assert len(gone) == 2
    assert not set(gone) & set(seen.packs["2022-autumn"][FIRST]["person_id"])
    before = seen.packs["2022-spring"][FIRST].filter(pl.col("person_id").is_in(gone))
    assert before.height == 2
    assert seen.left_at_linker.isdisjoint(before["linker_ref"].to_list())


# ---------------------------------------------------------------- N9: no way back into decisions


def test_identification_gives_the_same_list_after_the_evaluation_as_before(seen: Seen) -> None:
    """N9"""
    assert seen.again is not None
    columns = ["family_ref", "issues", "rank", "identified", "invited"]
    assert seen.again.select(columns).equals(seen.lists["2022-autumn"].select(columns))


# ---------------------------------------------------------------- N10: departments forget


def test_no_department_registers_or_says_how_many_people_it_was_asked_about(seen: Seen) -> None:
    """N10, D10: neither in the register nor in what its task log says."""
    for department in DEPARTMENTS:
        held = Register.open().find(department, state=None)
        assert {one.dataset_class for one in held} == {"department_register", "department_request", "match_working"}
        assert {one.rows for one in held} == {None}
    said = [line for line in seen.lines if line.startswith(("Matched on tokens", "Returned attributes"))]
    assert len(said) == 2 * len(DEPARTMENTS) * len(WAVES)
    counts = {
        str(told[key]) for wave in seen.match.values() for told in wave.values() for key in ("requested", "matched")
    }
    assert not [line for line in said if counts & set(line.replace(",", " ").split())]


def test_what_departments_were_sent_was_destroyed_within_the_month(seen: Seen) -> None:
    """N10, D1"""
    for department in DEPARTMENTS:
        for one in Register.open().find(department, state=None):
            if one.dataset_class != "department_register":
                assert one.destroyed_at is not None and one.legal is not None
                assert one.destroyed_at < one.legal
                assert one.legal.date() <= clock.at(one.received_at.date(), 12).date().replace(
                    month=one.received_at.month + 1
                )


# ---------------------------------------------------------------- N11: against unauthorised use


def test_no_canary_stands_in_plain_text_on_any_server(seen: Seen, servers: StackAddresses) -> None:
    """N11: databases with their logs, object volumes, key service, folders of partners."""
    told = canary_patterns(20221003, 240)
    found = leaks.scan([Path(servers.home)], leaks.Patterns(told.names, told.ninos, told.dob_postcode_pairs))
    assert found == [], [(one.file, one.kind, one.form) for one in found[:10]]


def test_ons_and_departments_have_no_use_of_the_linkage_root(seen: Seen) -> None:
    """N11, N13: the linker finds people by tokens; it cannot make one."""
    root = f"linkage-root-{policy.load().name}"
    assert keys.service(STORES[SECOND]).hmac(root, b"info") == keys.service(STORES[FIRST]).hmac(root, b"info")
    for store in (*ONS, "ons-relay", *DEPARTMENTS, "mhclg"):
        with pytest.raises(LinkageError):
            keys.service(store).hmac(root, b"info")
    with pytest.raises(FlowRefused):
        keys.service(STORES[SECOND]).destroy_key(root)


# ---------------------------------------------------------------- N12: de-identified after linking


def test_the_research_file_has_fresh_ids_and_crowds_and_nothing_that_anybody_sent(seen: Seen) -> None:
    """N12"""
    rules = schemas.load().research
    for name in WAVES:
        [research] = seen.frames[name]["ons-research"]["research_file"]
        assert not set(research.columns) & NAMES
        [homes] = seen.frames[name]["ons-research"]["research_families"]
        crowd = research.group_by(rules.people.quasi_identifiers).agg(pl.col("research_id").n_unique())
        assert crowd["research_id"].min() >= rules.people.k
        assert homes.group_by(rules.families.quasi_identifiers).len()["len"].min() >= rules.families.k
        assert "research_family" not in (*research.columns, *homes.columns)
        texts = {value for column in research.columns for value in research[column].cast(pl.String).drop_nulls()}
        sent = pl.concat(seen.packs[name].values())
        refs = {value for column in sent.columns if column.endswith(("_ref", "_key")) for value in sent[column]}
        assert not texts & refs


# ---------------------------------------------------------------- N13: identifiers apart


@pytest.mark.parametrize("store", ["ons-linker", "ons-research", *DEPARTMENTS])
def test_nobody_but_the_custodian_is_sent_an_identifier(seen: Seen, store: str) -> None:
    """N13"""
    told = list(everything(seen, store))
    assert told
    for dataset_class, frame in told:
        assert not set(frame.columns) & NAMES, dataset_class


def test_no_role_reads_another_roles_holding(seen: Seen) -> None:
    """N13: neither by the vault's door nor with its own credential at the object store."""
    [file, *_] = Register.open().find("ons-identity", "identity_file", state=None)
    for store in ("ons-research", "ons-linker", "authority", "dwp"):
        with pytest.raises(FlowRefused, match="N13"):
            Vault(store).read_frame(file.id)
        with pytest.raises(LinkageError):
            objects.client(store).versions("ons-identity-vault")


# ---------------------------------------------------------------- N14: nothing back to an authority


@pytest.mark.parametrize("authority", STORES.values())
def test_nothing_can_be_sent_to_an_authority(seen: Seen, authority: str) -> None:
    """N14: not by policy and not by credential; its inbox is empty to the end."""
    frame = pl.DataFrame({"research_id": ["a" * 32]})
    for sender in (*ONS, "ons-relay", *DEPARTMENTS, "mhclg"):
        with pytest.raises(FlowRefused, match="N14"):
            sent(frame, sender, authority, "research_file", at=date(2022, 11, 1))
        with pytest.raises(LinkageError):
            objects.client(sender).put(f"{authority}-inbox", "transfers/x", b"x")
    assert objects.client(f"verifier-{'authority'}").versions(f"{authority}-inbox") == []
    classes = {one.dataset_class for one in Register.open().find(authority, state=None)}
    assert not classes & {"research_file", "linked_file", "department_return", "link_index", "research_ids"}


# ---------------------------------------------------------------- N15: gone before December 2022


def test_on_30_november_nothing_personal_of_the_evaluation_is_left_anywhere(seen: Seen) -> None:
    """N15, D3, D7: destroyed before the first of December, every destruction seen by another credential and certified."""
    register = Register.open()
    for store in (*ONS, "ons-relay", *DEPARTMENTS):
        left = {one.dataset_class for one in register.find(store, state=LIVE)} - {"release_register"}
        assert left <= {"department_register"}, store
    closes = clock.at(policy.load().file.programme.closes, 0)
    destroyed = [one for one in register.find(state=("destroyed",)) if one.store.startswith("ons")]
    assert len(destroyed) > 40
    assert all(one.destroyed_at is not None and one.destroyed_at < closes for one in destroyed)
    told = certificate.counts()
    assert told["issued"] == told["verified"] == len(register.find(state=("destroyed",)))
    assert all(one.ok for one in seen.sweeps), [one.breaches for one in seen.sweeps]


# ---------------------------------------------------------------- N16: only anonymous tables reach MHCLG


def test_mhclg_holds_released_tables_with_no_small_count_and_nothing_else(seen: Seen) -> None:
    """N16, R2: counts are absent or at least ten, and multiples of five."""
    vault = Vault("mhclg")
    assert {one.dataset_class for one in Register.open().find("mhclg", state=None)} == {"released_tables"}
    [held] = vault.find("released_tables")
    tables = bundle.unpack(vault.read_bytes(held.id))
    assert tables
    for table in tables:
        for column in ("individuals", "families"):
            shown = table.frame[column].cast(pl.Int64, strict=False).drop_nulls()
            assert shown.len() >= 4, table.name
            assert shown.filter((shown < 10) | (shown % 5 != 0)).is_empty(), table.name
        assert not set(table.frame.columns) & {"research_id", "research_family"}


def test_the_research_file_itself_cannot_be_sent_to_mhclg(seen: Seen) -> None:
    """N16"""
    [research] = seen.frames["2022-autumn"]["ons-research"]["research_file"]
    with pytest.raises(FlowRefused, match="N17"):
        sent(research, "ons-research", "mhclg", "research_file", at=date(2022, 11, 1))


# ---------------------------------------------------------------- N17: a lawful basis for every flow


def test_everything_that_arrived_names_the_lawful_basis_of_its_flow(seen: Seen) -> None:
    """N17"""
    flows = policy.load().file.flow
    arrived = [one for one in Register.open().find(state=None) if one.transfer_id is not None]
    assert {one.flow_id for one in arrived} >= set(flows) - {"withdrawal_from_identity"}
    for one in arrived:
        assert one.lawful_basis == flows[str(one.flow_id)].basis
    special = {name for name, flow in flows.items() if "9(2)" in flow.basis or "Sch 1" in flow.basis}
    assert {"identity_file", "attribute_file", "moj_request", "moj_return", "dfe_return"} <= special


def test_a_flow_that_no_basis_covers_is_refused_on_the_servers(seen: Seen) -> None:
    """N17: DWP to MoJ, and one authority to the other."""
    frame = pl.DataFrame({"request_ref": ["a" * 32]})
    for sender, recipient in (("dwp", "moj"), (STORES[FIRST], STORES[SECOND]), (STORES[SECOND], STORES[FIRST])):
        with pytest.raises(FlowRefused, match="N17"):
            sent(frame, sender, recipient, "department_request", at=date(2022, 11, 1))


def sent(frame: pl.DataFrame, sender: str, recipient: str, dataset_class: str, at: date) -> None:
    """Try to send, on a day on which the programme was open."""
    before = clock.now()
    clock.set_simulated(clock.at(at, 12))
    try:
        transfers.send(
            frame,
            sender=sender,
            recipient=recipient,
            dataset_class=dataset_class,
            programme=policy.load().name,
            natural_key=f"tried:{sender}:{recipient}",
        )
    finally:
        clock.set_simulated(before)
