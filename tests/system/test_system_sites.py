"""Three organisations, three Airflows, one exchange: a wave by DAGs alone, each triggered over its own site's API.

N11, N13, N14, N17, D2, D10. MoJ and DfE are two more deployments without Airflow, so that the wave can be linked. Twelve
Airflow services and five sets of servers on two cores that others use too take eight minutes, and so this is part of `make slow`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date

import pytest
from disturbed import Network
from separate_sites import DAY, Homes, separate_homes

from linkage import clock
from linkage.custody.evidence import ledger
from linkage.custody.register import Register
from linkage.custody.transfers import acknowledgement
from linkage.custody.vault import Vault
from linkage.custody.watch import leaks
from linkage.evaluation import match_department
from linkage.sandbox.airflow_api import Airflow
from linkage.sandbox.canaries import canary_patterns

pytestmark = [pytest.mark.system, pytest.mark.slow]

WITH_AIRFLOW = ("authority", "ons", "dwp")
SITES = (*WITH_AIRFLOW, "moj", "dfe")
SEED, BOROUGH, REGISTER = 20221003, 120, 2_000
MONTH_DAY = date(2022, 10, 31)
PATIENCE = 300


class Site:
    """One site's Airflow, by its own API and its own engineer's log-in."""

    def __init__(self, homes: Homes, name: str) -> None:
        home = homes.home(name)
        port = json.loads((home / "ports.json").read_text())["airflow"]
        password = json.loads((home / "secrets" / "stack.json").read_text())["password_engineer"]
        self.home = home
        self.api = Airflow(f"http://127.0.0.1:{port}", "engineer", password)

    def run(self, dag_id: str, day: date = DAY) -> dict[str, str]:
        """Trigger a DAG for a day and wait for its end; the states of its tasks. Raises when it failed."""
        self.api.unpause(dag_id)
        run_id = self.api.trigger(dag_id, day)
        self.api.wait(dag_id, day, PATIENCE, lambda _: None, run_id)
        return dict(self.api.task_states(dag_id, run_id))

    def log(self, dag_id: str) -> str:
        """Everything a DAG's tasks said."""
        files = [file for file in (self.home / "airflow" / "logs").rglob("*.log") if f"dag_id={dag_id}" in str(file)]
        return "\n".join(file.read_text(errors="replace") for file in files)


@pytest.fixture(scope="module")
def homes() -> Iterator[Homes]:
    with separate_homes(SITES, airflow=WITH_AIRFLOW) as made:
        made.settle(SEED, BOROUGH, REGISTER)
        yield made


@pytest.fixture(scope="module")
def airflow(homes: Homes) -> dict[str, Site]:
    return {name: Site(homes, name) for name in WITH_AIRFLOW}


@pytest.fixture(scope="module")
def network(homes: Homes) -> Network:
    """Somebody at the exchange who keeps a copy of what passes, and harms nothing yet."""
    return Network(homes.network(), random.Random(SEED), rate=0)


@pytest.fixture(scope="module")
def played(homes: Homes, airflow: dict[str, Site], network: Network) -> dict[str, dict[str, str]]:
    """The wave's day: every step at the site it belongs to."""
    told = {"evaluation_submission": airflow["authority"].run("evaluation_submission")}
    told["evaluation_exchange"] = airflow["ons"].run("evaluation_exchange")
    network.step(calm=True)
    told["department_match_dwp"] = airflow["dwp"].run("department_match_dwp")
    for name in ("moj", "dfe"):
        with homes.at(name):
            for wave in match_department.accept(name):
                match_department.match(name, wave)
                match_department.return_attributes(name, wave)
    told["research_linkage"] = airflow["ons"].run("research_linkage")
    for name in WITH_AIRFLOW:
        told[f"exchange_receipts {name}"] = airflow[name].run("exchange_receipts")
    return told


def test_each_site_has_its_own_dags_and_no_others(airflow: dict[str, Site]) -> None:
    """N13, N20"""
    assert "evaluation_submission" in airflow["authority"].api.dag_ids()
    assert airflow["dwp"].api.dag_ids() == {"department_match_dwp", "exchange_receipts", "retention_sweep"}
    assert "evaluation_submission" not in airflow["ons"].api.dag_ids()


def test_every_step_succeeds_at_its_own_site(played: dict[str, dict[str, str]]) -> None:
    for dag_id, states in played.items():
        assert set(states.values()) == {"success"}, (dag_id, states)


def test_the_research_file_stands_at_ons_and_nowhere_else(homes: Homes, played) -> None:
    """N12, N14"""
    with homes.at("ons"):
        vault = Vault("ons-research")
        [held] = vault.find("research_file")
        assert vault.read_frame(held.id).height > 100
    for name in ("authority", "dwp"):
        with homes.at(name):
            assert not Register.open().find(dataset_class="research_file", state=None)


def test_every_transfer_is_acknowledged_and_the_log_says_so_in_plain_sentences(
    homes: Homes, airflow: dict[str, Site], played
) -> None:
    """N17, D10: one sentence a transfer, and at a department no number of anybody."""
    for name in SITES:
        with homes.at(name):
            acknowledgement.look()
            assert {one.state for one in acknowledgement.sent()} == {"acknowledged"}, name
    said = airflow["authority"].log("exchange_receipts")
    assert "department_request of wave 2022-autumn to dwp was acknowledged on 2022-10-03" in said
    assert "7 transfers waited for their receipts: 7 acknowledged, 0 sent, 0 forwarded, 0 late, 0 refused." in said
    assert "department_return of wave 2022-autumn to ons-research was acknowledged" in airflow["dwp"].log(
        "exchange_receipts"
    )


def test_nothing_came_back_to_the_authority(homes: Homes, played) -> None:
    """N14: its inbox is empty in every version, and what it may read of others are keys and receipts."""
    network = homes.network()
    assert network.versions("authority-inbox") == []
    kinds = {one.key.split("/")[1] for one in network.versions("directory")}
    assert kinds == {"receiving", "receipts"}


@pytest.mark.parametrize("site", WITH_AIRFLOW)
def test_no_site_reaches_anothers_register_keys_or_vaults(homes: Homes, played, site: str) -> None:
    """N3, N11, N13: tried with every credential of the site."""
    for other in SITES:
        if other != site:
            assert homes.tries(site, other) >= 16


def test_each_site_has_a_ledger_of_its_own_that_verifies(homes: Homes, played) -> None:
    """D10, D11"""
    origins = set()
    for name in SITES:
        with homes.at(name):
            signed = ledger.checkpoint()
            origins.add((signed.origin, signed.public_key))
            assert ledger.verify_live()["ok"], name
    assert len(origins) == len(SITES)


def test_after_the_month_the_department_has_forgotten(homes: Homes, airflow: dict[str, Site], played) -> None:
    """N10, D7: by its own sweep, verified under its own verifier, certified in its own register."""
    homes.clock(clock.at(MONTH_DAY, 3, 30))
    assert set(airflow["dwp"].run("retention_sweep", MONTH_DAY).values()) == {"success"}
    with homes.at("dwp"):
        assert _held_classes("dwp") == {"department_register"}
        register = Register.open()
        for dataset_class in ("department_request", "match_working"):
            [gone] = register.find("dwp", dataset_class, state="destroyed")
            assert register.certificate(gone.id) is not None


def test_a_request_put_back_after_the_month_opens_nothing_and_is_an_incident(
    homes: Homes, airflow: dict[str, Site], network: Network, played
) -> None:
    """N10, N17: the exchange's own administrator puts back, to the byte, what the department has forgotten."""
    [request] = [one for one in network.seen if one.bucket == "dwp-inbox"]
    network.seen = [request]
    network.replay()
    assert set(airflow["dwp"].run("department_match_dwp", MONTH_DAY).values()) == {"skipped"}
    with homes.at("dwp"):
        assert [one.kind for one in Register.open().incidents()] == ["transfer_replayed"]
        assert _held_classes("dwp") == {"department_register"}
    assert homes.network().versions("dwp-inbox") == []


def _held_classes(store: str) -> set[str]:
    return {one.dataset_class for one in Register.open().find(store)}


def test_no_canary_stands_in_plain_text_in_any_home(homes: Homes, played) -> None:
    """N10, N11: databases, volumes, logs and XCom of all sites, and what the exchange keeps."""
    told = canary_patterns(SEED, BOROUGH)
    with homes.at("authority"):
        vault = Vault("authority")
        known = vault.read_frame(vault.find("people")[0].id)
    assert told.ninos
    assert set(told.ninos) <= set(known["nino"]), "the people looked for went through the wave"
    patterns = leaks.Patterns(told.names, told.ninos, told.dob_postcode_pairs)
    found = leaks.scan([homes.top], patterns)
    assert found == [], [(one.file, one.kind, one.index, one.form) for one in found[:20]]
