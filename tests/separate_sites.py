"""Separate deployments for tests: a home for each organisation, set up as docs/runbooks/separate-sites.md says.

Each has its own PostgreSQL, OpenBao, SeaweedFS and credentials. ONS hosts the exchange; the others join it by their invitation,
trust files are made of everybody's cards, and receiving keys are published.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from linkage import clock, policy, settings
from linkage import stack as embedded
from linkage.custody.keys.prepare import prepare
from linkage.custody.register import Register
from linkage.custody.stores import objects
from linkage.custody.transfers import trust
from linkage.custody.vault import Vault
from linkage.errors import FlowRefused
from linkage.stack import postgres
from linkage.stack.launch import read_env
from linkage.stack.layout import Layout
from linkage.stack.register_roles import role_of
from linkage.stack.secrets import Secrets, write_private
from linkage.stack.site import Site

HOST = "ons"
DAY = date(2022, 10, 3)
LINKAGE = str(Path(sys.prefix) / "bin" / "linkage")


@dataclass
class Homes:
    """Running homes by site; `registers` says which database a site uses that has left its own first one."""

    top: Path
    sites: tuple[str, ...]
    registers: dict[str, str] = field(default_factory=dict)

    def home(self, site: str) -> Path:
        return self.top / site

    @contextmanager
    def at(self, site: str) -> Iterator[None]:
        """Be that deployment for a while: its settings, its credentials, its register."""
        told = {name: value for name, value in read_env(self.home(site) / "stack.env").items()}
        if site in self.registers:
            told["LINKAGE_REGISTER_URL"] = self.registers[site]
        with pytest.MonkeyPatch.context() as here:
            for name in [name for name in os.environ if name.startswith("LINKAGE_")]:
                here.delenv(name)
            for name, value in told.items():
                here.setenv(name, value)
            yield

    def clock(self, moment: datetime) -> None:
        """Move everybody's simulated clock."""
        for site in self.sites:
            with self.at(site):
                clock.set_simulated(moment)

    def command(self, site: str, *words: str, **more: str) -> str:
        """Run `linkage` as that site's operator; its output."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("LINKAGE_", "AIRFLOW_"))
        }
        environment |= {"LINKAGE_HOME": str(self.home(site)), "LINKAGE_SITE": site, **more}
        done = subprocess.run([LINKAGE, *words], env=environment, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, (site, words, done.stderr[-2000:])
        return done.stdout

    def network(self) -> objects.ObjectStore:
        """The exchange as its administrator: what a network may do to objects, the tests do as this one."""
        secrets = self.home(HOST) / "secrets"
        told = json.loads((secrets / "stack.json").read_text())
        pair = {"s3_access_key": told["weed_admin_access_key"], "s3_secret_key": told["weed_admin_secret_key"]}
        write_private(secrets / "network.json", json.dumps(pair))
        with self.at(HOST):
            return objects.client("network")

    def fresh_registers(self, name: str) -> None:
        """Every site's register as it was when it was set up, in a database of its own; inboxes and receipts emptied."""
        with ThreadPoolExecutor(len(self.sites)) as pool:
            list(pool.map(lambda site: self._copy(site, name), self.sites))
        self._empty_exchange()

    def settle(self, seed: int, families: int, register: int) -> None:
        """Families and people at the authority, and at each department its own register, all of one invented borough."""
        from linkage.evaluation.cohort import FAMILIES, PEOPLE
        from linkage.policy.schema import DEPARTMENTS
        from linkage.sandbox.population import make_population
        from linkage.sandbox.registers import department_registers

        people = make_population(seed, families, DAY)
        with self.at("authority"):
            self._keep("authority", "people", people.people.select(PEOPLE), DAY.isoformat())
            self._keep("authority", "family_list", people.families.select(FAMILIES), DAY.isoformat())
        for name, told in department_registers(people, seed, register).items():
            if name in DEPARTMENTS and name in self.sites:
                with self.at(name):
                    for label, frame in {"people": told.people, **told.attributes}.items():
                        self._keep(name, "department_register", frame, label)

    def _keep(self, store: str, dataset_class: str, frame: pl.DataFrame, label: str) -> None:
        key, programme = f"{dataset_class}:{label}", policy.load().name
        Vault(store).put_frame(frame, dataset_class, programme=programme, natural_key=key, label=label)

    def tries(self, site: str, other: str) -> int:
        """Try, with every credential of one site, the register, keys and vaults of another; how many attempts were refused."""
        from linkage.custody import keys

        there = read_env(self.home(other) / "stack.env")
        number = 0
        with self.at(site), pytest.MonkeyPatch.context() as reach:
            mine, theirs = make_url(settings.load().register), make_url(there["LINKAGE_REGISTER_URL"])
            with pytest.raises(OperationalError):
                create_engine(theirs.set(username=mine.username, password=mine.password)).connect()
            reach.setenv("LINKAGE_KEYS_URL", there["LINKAGE_KEYS_URL"])
            reach.setenv("LINKAGE_S3_ENDPOINT", there["LINKAGE_S3_ENDPOINT"])
            stores = [store for store, holder in policy.load().stores.items() if holder == other]
            files = {file.stem for file in settings.load().secrets.glob("*.json")} - {"stack", "guests", "network"}
            assert not files & {*stores, f"verifier-{other}"}, "a credential of somebody else's"
            for who in sorted(files):
                for store in stores:
                    for attempt in (
                        lambda who=who, store=store: objects.client(who).versions(f"{store}-vault"),
                        lambda who=who, store=store: objects.client(who).put(f"{store}-vault", "x", b"x"),
                        lambda who=who, store=store: keys.service(who).wrap(f"{store}.20221031", b"k" * 32, "x"),
                        lambda who=who, store=store: keys.service(who).key_exists(f"{store}.20221031"),
                    ):
                        with pytest.raises(FlowRefused):
                            attempt()
                        number += 1
        return number

    def _copy(self, site: str, name: str) -> None:
        told = json.loads((self.home(site) / "secrets" / "stack.json").read_text())
        port = json.loads((self.home(site) / "ports.json").read_text())["postgres"]
        as_admin = postgres.url({"postgres": port}, postgres.SUPERUSER, told["postgres_password"], "postgres")
        admin = create_engine(as_admin, isolation_level="AUTOCOMMIT")
        role = role_of(site)
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE linkage OWNER linkage"))
            connection.execute(text(f"GRANT CONNECT ON DATABASE {name} TO {role}"))
        admin.dispose()
        secret = told[f"{role}_password"]
        self.registers[site] = f"postgresql+psycopg2://{role}:{secret}@127.0.0.1:{port}/{name}"

    def _empty_exchange(self) -> None:
        network = self.network()
        from linkage.stack.principals import STORES

        for store in STORES:
            network.purge(f"{store}-inbox", "")
            network.purge("directory", f"{store}/receipts/")

    def close_registers(self) -> None:
        """Let go of every connection, so that the databases can be copied."""
        for site in self.sites:
            with self.at(site):
                Register.open().engine.dispose()


@contextmanager
def separate_homes(sites: Sequence[str], airflow: Sequence[str] = ()) -> Iterator[Homes]:
    """Set up and started, at 2022-10-03 09:00 of every simulated clock; stopped and removed at the end."""
    made = Homes(Path(tempfile.mkdtemp(prefix="linkage-sites-")), tuple(sites))
    try:
        _set_up(made, airflow)
        yield made
    finally:
        with ThreadPoolExecutor(len(sites)) as pool:
            list(pool.map(lambda site: embedded.stop(made.home(site)), sites))
        shutil.rmtree(made.top, ignore_errors=True)


def _set_up(homes: Homes, airflow: Sequence[str]) -> None:
    """The key ceremony of the runbook."""
    others = [site for site in homes.sites if site != HOST]
    homes.command(HOST, "stack", "start", "--no-airflow")
    for site in others:
        Secrets(Layout.of(homes.home(site)).make().home, Site(site)).join(
            homes.home(HOST) / "exchange" / f"{site}.json"
        )
    # An Airflow waits as much as it works while it starts: they start beside one another, and the exchange's own with them.
    with ThreadPoolExecutor(3) as pool:
        how = {site: [] if site in airflow else ["--no-airflow"] for site in (*others, *airflow)}
        list(pool.map(lambda site: homes.command(site, "stack", "start", *how[site]), how))
    homes.clock(clock.at(DAY, 9))
    lines = []
    for site in homes.sites:
        with homes.at(site):
            lines += [line for line in trust.card().splitlines() if not line.startswith("[")]
    for site in homes.sites:
        (homes.home(site) / "trust.toml").write_text("\n".join(["[signing]", *lines]) + "\n")
    for site in homes.sites:
        with homes.at(site):
            prepare(days=1)
