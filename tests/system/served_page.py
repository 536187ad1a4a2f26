"""The Retention page as it is deployed: real servers, a register with a history, and Airflow's API server with FAB roles."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta

import httpx
from base_stack import base_stack
from sqlalchemy import text

from linkage import clock, stack
from linkage.custody import holds
from linkage.custody.destruction.sweep import sweep
from linkage.custody.register import Register
from linkage.custody.vault import Vault
from linkage.feeds import receipt
from linkage.sandbox import partners
from linkage.sandbox.bad_deliveries import bad_deliveries
from linkage.sandbox.partner_files import partner_deliveries
from linkage.sandbox.population import make_population
from linkage.settings import REPOSITORY
from linkage.stack import airflow, ports
from linkage.stack.layout import MARK, Layout
from linkage.stack.secrets import Secrets
from linkage.stack.supervision import Supervisor

PROGRAMME = "troubled_families_2015_2020"
TODAY = date(2022, 11, 28)
LISTED = 60


@dataclass(frozen=True)
class Served:
    """Where the page is, and whose holdings stand on it."""

    addresses: stack.StackAddresses
    destroyed: str
    overdue: str
    begun: str
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def page(self) -> str:
        """The page's own address."""
        return f"{self.addresses.ui_url}/retention"

    def as_user(self, user: str) -> dict[str, str]:
        """Headers of a log-in; one token for each."""
        if user not in self.headers:
            body = {"username": user, "password": self.addresses.users[user]}
            answer = httpx.post(f"{self.addresses.ui_url}/auth/token", json=body, timeout=30)
            self.headers[user] = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return self.headers[user]


@contextmanager
def served_page() -> Iterator[Served]:
    """The base stack with a history on 28 November 2022, Airflow's database and roles, and its API server alone."""
    with base_stack() as addresses:
        history = _history()
        _serve(addresses)
        yield Served(addresses, *history)


def _history() -> tuple[str, str, str]:
    """Holdings in every state, by the means that bring them there; ids of one destroyed, one overdue, one begun."""
    clock.set_simulated(clock.at(date(2022, 10, 10), 9))
    first = _put("authority", "delivery", "schools_2022-10-10")
    _put("authority", "quarantine", "schools_2022-10-10")
    for department in ("dwp", "moj", "dfe"):
        _put(department, "match_working", "2022-autumn")
    clock.set_simulated(clock.at(date(2022, 10, 31), 3, 30))
    overdue = _put("authority", "delivery", "police_2022-10-31").id
    clock.set_simulated(clock.at(date(2022, 11, 7), 3, 30))
    assert sweep().ok
    holds.place(overdue, "the High Court", "a claim about one delivery", clock.at(date(2022, 12, 20), 9))
    clock.set_simulated(clock.at(date(2022, 11, 20), 9))
    kept = _put("authority", "delivery", "health_2022-11-20")
    holds.place(kept.id, "the Information Commissioner", "an inquiry", clock.at(date(2022, 12, 10), 9))
    for number in range(LISTED):
        _put("authority", "issue_evidence", f"{number + 1:02d}")
    _put("ons-research", "attribute_file", "2022-autumn")
    clock.set_simulated(clock.at(TODAY, 3, 30))
    _put("dwp", "department_register", "dwp")
    begun = _put("moj", "department_register", "moj").id
    assert not sweep().ok  # what a hold keeps beyond its deadline is a breach
    clock.set_simulated(clock.at(TODAY, 9))
    with Register.open().engine.begin() as connection:  # as a destruction leaves it that was killed at its first step
        connection.execute(text("UPDATE holdings SET state = 'destroying' WHERE id = :id"), {"id": begun})
    _deliveries()
    return first.id, overdue, begun


def _deliveries() -> None:
    """Deliveries as receipt meets them: sound ones by folder and by bucket, a refused one, and one that is held."""
    people = make_population(5, 150, TODAY)
    yesterday = TODAY - timedelta(days=1)
    partners.deliver("health", partner_deliveries(people, TODAY)["health"])
    for day in (yesterday, TODAY):
        partners.deliver("housing", partner_deliveries(people, day)["housing"])
        receipt.receive("housing", TODAY)
    partners.deliver("police", partner_deliveries(people, yesterday)["police"])
    receipt.receive("police", TODAY)
    partners.deliver("police", bad_deliveries(people, TODAY)["unknown_column"])
    receipt.receive("police", TODAY)
    partners.deliver("police", partner_deliveries(make_population(5, 20, TODAY), TODAY)["police"])
    outcomes = [one.outcome for feed in ("police", "health") for one in receipt.receive(feed, TODAY)]
    assert outcomes == ["held", "accepted"], outcomes


def _put(store: str, dataset_class: str, label: str):  # noqa: ANN202
    name = f"{dataset_class}:{label}:{store}"
    return Vault(store).put_bytes(name.encode(), dataset_class, programme=PROGRAMME, natural_key=name, label=label)


def _serve(addresses: stack.StackAddresses) -> None:
    layout, secrets = Layout.of(addresses.home), Secrets(addresses.home).stack
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LINKAGE_", "AIRFLOW_", "PG"))}
    code = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "deploy")])
    airflow.bootstrap(layout, {**kept, "PYTHONPATH": code, MARK: str(layout.home)}, secrets)
    supervisor, known = Supervisor(layout), ports.remembered(layout.home)
    supervisor.start("api-server")
    supervisor.await_ready("api-server", lambda: "metadatabase" in airflow.health(known))
