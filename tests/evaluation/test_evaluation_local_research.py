"""Research of the authority's own, beside the national evaluation: a second programme file, no other code (N18)."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from base_stack import own_register

from linkage import policy
from linkage.custody import transfers
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, FlowRefused
from linkage.evaluation import link, match_department, schemas, submit
from linkage.evaluation.cohort import build_cohort
from linkage.evaluation.submission import SubmissionPack, prepare
from linkage.policy.mistakes import PolicyMistake
from linkage.policy.schema import DEPARTMENTS
from linkage.release import approvals, query, register, rules
from linkage.sandbox.population import SANDBOX_AS_OF, make_population
from linkage.settings import REPOSITORY
from linkage.stack import StackAddresses

NATIONAL, LOCAL = "troubled_families_2015_2020", "lambeth_local_research"
DAY = date(2022, 10, 10)
OURS = ("attribute_file", "link_index", "department_return", "linked_file", "research_file", "research_families")


@dataclass
class Side:
    """One programme of the two: its wave, the pack it was sent from, and how to act for it."""

    programme: str
    wave: str
    pack: SubmissionPack
    serve: Callable[[], None]

    def found(self, store: str, dataset_class: str) -> list[str]:
        """Ids of all that its deployment finds there."""
        self.serve()
        return [one.id for one in Vault(store).find(dataset_class)]

    def held(self, store: str, dataset_class: str) -> list[str]:
        """Ids of what its deployment finds there of this wave; other tests of the session leave holdings of theirs."""
        self.serve()
        return [one.id for one in Vault(store).find(dataset_class, wave=self.wave)]


@pytest.fixture(scope="module")
def sides(stack: StackAddresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:  # noqa: ARG001
    """The same people in both programmes, every step of one between the steps of the other, up to the research file."""
    policies = tmp_path_factory.mktemp("n18") / "policy"
    shutil.copytree(REPOSITORY / "policy", policies)
    with pytest.MonkeyPatch.context() as patch, own_register(patch):
        patch.setenv("LINKAGE_POLICY_DIR", str(policies))
        both = tuple(_side(name, patch) for name in (NATIONAL, LOCAL))
        steps: list[Callable[[Side], object]] = [
            lambda side: [submit.send_to(recipient, side.wave) for recipient in submit.RECIPIENTS],
            lambda side: [transfers.relay(), *(transfers.receive(store) for store in ("ons-linker", *DEPARTMENTS))],
            _departments_answer,
            lambda side: transfers.receive("ons-research"),
            lambda side: link.send_index(side.wave),
            lambda side: link.link_returns(side.wave),
            lambda side: link.deidentify_wave(side.wave),
        ]
        for step in steps:
            for side in both:
                side.serve()
                step(side)
        yield both  # type: ignore[misc]


def _side(programme: str, patch: pytest.MonkeyPatch) -> Side:
    def serve() -> None:
        patch.setenv("LINKAGE_PROGRAMME", programme)

    # One of its own: other tests of the session have used the others. Eight characters, for six may look like a postcode.
    wave = f"{programme[:5]}-{uuid.uuid4().hex[:8]}"
    with (Path(os.environ["LINKAGE_POLICY_DIR"]) / f"{programme}.toml").open("a") as file:
        file.write(f'\n[[wave]]\nname = "{wave}"\nsubmit_on = {DAY}\n')
    serve()
    borough = make_population(6, 200, SANDBOX_AS_OF)
    people = borough.people.with_columns(pl.col("case_ref").alias("person_id"))
    pack = prepare(build_cohort(people, borough.families, wave, "lambeth", as_of=DAY), set())
    Vault("authority").put_frame(
        pack.frame, "submission_pack", programme=programme, wave=wave, natural_key=f"pack:{programme}:{wave}"
    )
    return Side(programme, wave, pack, serve)


def _departments_answer(side: Side) -> None:
    """Something for everybody they were asked about, the same in both programmes."""
    for department in DEPARTMENTS:
        columns = schemas.load().department(department).columns[1:]
        told = side.pack.frame.select(pl.col(f"{department}_ref").alias("ref"), number=pl.int_range(pl.len()) % 9)
        values = [
            pl.lit(None, pl.String).alias(one)
            if one.endswith("_result")
            else (pl.col("number") % 2 * (0.15 if one.endswith("_rate") else 1)).alias(one)
            for one in columns
        ]
        transfers.send(
            told.select("ref", *values).sort("ref"),
            sender=department, recipient="ons-research", dataset_class="department_return",
            programme=side.programme, wave=side.wave, natural_key=f"department_return:{department}:{side.programme}:{side.wave}",
        )  # fmt: skip


@pytest.mark.servers
def test_each_programme_finds_its_own_data_and_nothing_of_the_other(sides: tuple[Side, Side]) -> None:
    """N18: at ONS's store, in every class of evaluation data."""
    for mine, other in (sides, sides[::-1]):
        for dataset_class in OURS:
            ids = mine.held("ons-research", dataset_class)
            assert ids, dataset_class
            assert not set(ids) & set(other.found("ons-research", dataset_class)), dataset_class


@pytest.mark.servers
def test_whoever_knows_the_others_holding_is_refused(sides: tuple[Side, Side]) -> None:
    """N18: by its id, with the very credentials that could open it."""
    for mine, other in (sides, sides[::-1]):
        for store, dataset_class in (
            ("ons-research", "research_file"),
            ("ons-linker", "crosswalk"),
            ("dwp", "department_request"),
        ):
            [holding] = [one for one in other.held(store, dataset_class)][-1:]
            mine.serve()
            with pytest.raises(FlowRefused, match="N18"):
                Vault(store).read_frame(holding)


@pytest.mark.servers
def test_the_same_people_share_no_token_reference_or_research_id(sides: tuple[Side, Side]) -> None:
    """N18, N13: another root key, other refs, other ids: side by side the two files do not join."""
    seen: list[tuple[set[object], set[object], set[object]]] = []
    for side in sides:
        [tokens] = side.held("ons-linker", "compound_tokens")[-1:]
        [index] = side.held("ons-research", "link_index")[-1:]
        [file] = side.held("ons-research", "research_file")[-1:]
        frame = Vault("ons-research").read_frame(index)
        refs = {ref for column in frame.columns for ref in frame[column]}
        seen.append(
            (
                set(Vault("ons-linker").read_frame(tokens)["person_token"]),
                refs,
                set(Vault("ons-research").read_frame(file)["research_id"]),
            )
        )
    for mine, theirs in zip(*seen, strict=True):
        assert mine
        assert not mine & theirs


@pytest.mark.servers
def test_each_deployment_has_its_own_waves_to_work_on(sides: tuple[Side, Side]) -> None:
    """N18: departments and linker are asked by each programme about its own waves only."""
    for mine, other in (sides, sides[::-1]):
        mine.serve()
        assert mine.wave in match_department.accept("dwp") or mine.held("dwp", "department_request")
        assert other.wave not in match_department.accept("dwp")
        assert other.wave not in link.waves_to_link()


@pytest.mark.servers
def test_local_results_go_through_the_same_gate_and_approvals(sides: tuple[Side, Side]) -> None:
    """N18, R1 to R5: and neither deployment can release what the other proposed."""
    national, local = sides
    local.serve()
    proposed = register.propose(DAY, "schedule")
    assert proposed.proposal is not None
    assert any(local.wave in line for line in proposed.lines)
    for user in rules.load().approvers[:2]:
        approvals.record(proposed.proposal, user, ["Approve"])
    national.serve()
    with pytest.raises(FlowRefused, match="N18"):
        register.release(proposed.proposal)
    local.serve()
    register.release(proposed.proposal)
    register.deliver()
    told = query.answer(query.released(), ["authority", "status"], population=local.wave)
    assert told["population"].unique().to_list() == [local.wave]
    with pytest.raises(CheckFailed, match="N18"):
        query.answer(query.released(), ["authority", "status"], population=national.wave)


def test_the_local_programme_is_a_file_with_the_same_safeguards() -> None:
    """N18: no class of data lives longer and no flow is wider than in the national file."""
    national, local = policy.load(NATIONAL), policy.load(LOCAL)
    assert set(local.file.flow) <= set(national.file.flow)
    for name, flow in local.file.flow.items():
        wider = national.file.flow[name]
        assert set(local.flow_columns(flow)) <= set(national.flow_columns(wider))
        assert (flow.sender, flow.recipient, flow.via) == (wider.sender, wider.recipient, wider.via)
    assert {name: one.retention for name, one in local.file.dataset.items()} == {
        name: one.retention for name, one in national.file.dataset.items()
    }
    assert local.file.retention == national.file.retention
    assert local.file.programme.closes <= national.file.programme.closes


def test_two_programmes_with_a_wave_of_one_name_are_refused(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """N18: releases are told apart by the wave."""
    for path in (REPOSITORY / "policy").glob("*.toml"):
        text = path.read_text()
        (tmp_path / path.name).write_text(text.replace('name = "lambeth-2022"', 'name = "2022-autumn"'))
    monkeypatch.setenv("LINKAGE_POLICY_DIR", str(tmp_path))
    for name in (NATIONAL, LOCAL):
        with pytest.raises(PolicyMistake, match=r"wave.*N18"):
            policy.load(name)
