"""Start, stop and look at the embedded stack of one home. Any of it may have been killed anywhere; `start` recovers."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from linkage import clock as time_source
from linkage import policy
from linkage.errors import Misuse
from linkage.settings import REPOSITORY
from linkage.stack import airflow, bao, leftovers, ports, postgres, weed
from linkage.stack.layout import MARK, Layout
from linkage.stack.lock import held
from linkage.stack.register_roles import role_of
from linkage.stack.secrets import UI_USERS, Secrets, write_private
from linkage.stack.supervision import AIRFLOW, BASE, Service, Supervisor, render

Clock = Literal["real", "sandbox"]


@dataclass(frozen=True)
class StackAddresses:
    """Where a started stack's services are. `users` are Airflow's log-ins with their passwords: show, never log."""

    home: Path
    ui_url: str
    s3_endpoint: str
    keys_url: str
    postgres_url: str = field(repr=False)
    register_url: str = field(repr=False)
    weed_master_url: str
    users: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class ServiceStatus:
    """One service; `state` is the supervisor's word in lower case: running, starting, backoff, stopped, fatal, down."""

    name: str
    state: str
    pid: int | None
    address: str
    since: datetime | None


class _Stack:
    """One home's stack while it is being started."""

    def __init__(self, layout: Layout, clock: Clock, tell: Callable[[str], None]) -> None:
        self.layout = layout
        self.clock: Clock = clock
        self.tell = tell
        self.supervisor = Supervisor(layout)
        self.secrets = Secrets(layout.home)
        self.ports: dict[str, int] = {}

    def services(self) -> list[Service]:
        """What the supervisor runs. Databases stop after the programs that write to them."""
        lay = self.layout
        return [
            # SeaweedFS takes 12 s to end on SIGTERM; what it acknowledged is already with the operating system.
            Service("weed", weed.command(lay, self.ports), 10, (lay.home / "weed.env",), "KILL"),
            Service("bao", bao.command(lay), 10, stop_signal="INT"),
            Service("postgres", postgres.command(lay, self.ports), 20, stop_signal="INT", directory=lay.postgres),
            *airflow.services(lay, rank=30),
        ]

    def addresses(self) -> StackAddresses:
        told, home = self.secrets.stack, self.layout.home
        return StackAddresses(
            home=home,
            ui_url=f"http://127.0.0.1:{self.ports['airflow']}",
            s3_endpoint=f"http://127.0.0.1:{self.ports['s3']}",
            keys_url=f"http://127.0.0.1:{self.ports['bao']}",
            postgres_url=postgres.url(self.ports, postgres.SUPERUSER, told["postgres_password"], "postgres"),
            register_url=postgres.url(self.ports, "linkage", told["register_password"], "linkage"),
            weed_master_url=f"http://127.0.0.1:{self.ports['weed_master']}",
            users={user: told[f"password_{user}"] for user in UI_USERS},
        )

    def register_of(self, holder: str) -> str:
        """The register as one holder sees it: its own rows (N3)."""
        role = role_of(holder)
        return postgres.url(self.ports, role, self.secrets.stack[f"{role}_password"], "linkage")

    def write_settings(self) -> None:
        """`stack.env`, which `linkage.settings` reads, and Airflow's env file."""
        at, site = self.addresses(), self.secrets.site.name
        values = {
            "LINKAGE_HOME": str(self.layout.home),
            "LINKAGE_SITE": site,
            "LINKAGE_CLOCK": self.clock,
            "LINKAGE_REGISTER_URL": at.register_url if site == "all" else self.register_of(site),
            "LINKAGE_S3_ENDPOINT": at.s3_endpoint,
            "LINKAGE_S3_REGION": "eu-west-2",
            "LINKAGE_KEYS_URL": at.keys_url,
            "LINKAGE_BUCKET_FEEDS": "jobcentre,health",
            "LINKAGE_WEED_MASTER_URL": at.weed_master_url,
            "LINKAGE_DERIVED_PATHS": f"{self.layout.logs}:{self.layout.airflow / 'logs'}",
            "LINKAGE_DERIVED_DATABASE_URL": postgres.url(
                self.ports, "airflow", self.secrets.stack["airflow_db_password"], "airflow"
            ),
        }
        if site != "all":
            trusted = os.environ.get("LINKAGE_TRUST_FILE") or self.layout.home / "trust.toml"
            values |= {"LINKAGE_TRUST_FILE": str(trusted), "LINKAGE_EXCHANGE_ENDPOINT": self.secrets.site.exchange}
            self.secrets.invite(at.s3_endpoint)
        # Which programme, by which policy files, is the caller's choice, and every service's.
        values |= {name: os.environ[name] for name in ("LINKAGE_PROGRAMME", "LINKAGE_POLICY_DIR") if name in os.environ}
        write_private(self.layout.stack_env, "".join(f"{name}={value}\n" for name, value in values.items()))
        airflow.write_env(self.layout, self.ports, self.secrets.stack)
        if self.clock == "sandbox":
            _mark_sandbox(self.layout.home)

    def environment(self) -> dict[str, str]:
        """What every service inherits: little, and never the caller's LINKAGE_ or AIRFLOW_ settings."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LINKAGE_", "AIRFLOW_", "PG"))
        }
        path = os.pathsep.join([str(Path(sys.prefix) / "bin"), kept.get("PATH", os.defpath)])
        code = os.pathsep.join(filter(None, [str(REPOSITORY), str(REPOSITORY / "deploy"), kept.get("PYTHONPATH", "")]))
        # SPT_NOENV: process titles must not overwrite the environment by which leftovers are found.
        return kept | {
            "TMPDIR": str(self.layout.tmp),
            "PATH": path,
            "PYTHONPATH": code,
            "SPT_NOENV": "1",
            "GX_ANALYTICS_ENABLED": "false",
        }

    def launch(self) -> None:
        """A new supervisor, with nothing of an earlier one left."""
        if ended := leftovers.end(self.layout):
            self.tell(f"ended {ended} process(es) an earlier stack left behind")
        for stale in [*self.layout.sockets.glob("*.sock*"), *weed.stale_sockets(ports.remembered(self.layout.home))]:
            stale.unlink(missing_ok=True)
        for stale in (self.layout.postgres / "postmaster.pid", self.layout.home / "supervisord.pid"):
            stale.unlink(missing_ok=True)
        self.ports = ports.choose(self.layout.home)
        bao.forget_if_unrecorded(self.layout, self.secrets)
        weed.write_config(self.layout, self.secrets)
        seal = self.secrets.stack["bao_seal_key"]
        bao.write_config(
            self.layout.bao, f"127.0.0.1:{self.ports['bao']}", f"127.0.0.1:{self.ports['bao_cluster']}", seal
        )
        self.write_settings()
        self.supervisor.launch(render(self.layout, self.services()), self.environment())

    def raise_base(self, then: Callable[[], None]) -> None:
        """The three base services, each in its own thread; `then` follows PostgreSQL without waiting for the others."""
        with ThreadPoolExecutor(3) as pool:
            waits = [pool.submit(self._weed), pool.submit(self._bao), pool.submit(self._postgres, then)]
            for wait in waits:
                wait.result()

    def _postgres(self, then: Callable[[], None]) -> None:
        told, port = self.secrets.stack, self.ports["postgres"]
        password = told["postgres_password"]
        postgres.initialise(self.layout, password)
        self.supervisor.start("postgres")
        self.supervisor.await_ready("postgres", lambda: postgres.answers("127.0.0.1", port, password))
        postgres.bootstrap("127.0.0.1", port, password, postgres.role_passwords(told))
        self.tell("PostgreSQL is up")
        then()

    def _weed(self) -> None:
        endpoint = self.addresses().s3_endpoint
        self.supervisor.start("weed")
        self.supervisor.await_ready("weed", lambda: weed.answers(endpoint))
        weed.bootstrap(endpoint, self.secrets)
        self.supervisor.await_ready("weed", lambda: weed.reads_back(endpoint, self.secrets))
        self.tell("SeaweedFS is up")

    def _bao(self) -> None:
        url = self.addresses().keys_url
        self.supervisor.start("bao")
        self.supervisor.await_ready("bao", lambda: bao.health(url) in (200, 501))
        if bao.health(url) == 501:
            bao.initialise(url, self.secrets)
        self.supervisor.await_ready("bao", lambda: bao.health(url) == 200)
        bao.bootstrap(url, self.secrets)
        self.tell("OpenBao is up")

    def migrate_airflow(self) -> None:
        """Airflow's tables, users and roles, then its services."""
        airflow.bootstrap(self.layout, {**self.environment(), MARK: str(self.layout.home)}, self.secrets.stack)
        self.tell("Airflow's database and roles are ready")
        self.supervisor.start(*AIRFLOW)

    def await_airflow(self) -> None:
        """Until the API server answers and scheduler, processor and triggerer report healthy."""
        for name in AIRFLOW:
            began = float(self.supervisor.states()[name]["start"])
            self.supervisor.await_ready(name, partial(airflow.healthy, self.ports, name, began))
        self.tell("Airflow is up")


def start(
    home: Path | str, *, airflow: bool = True, clock: Clock = "sandbox", tell: Callable[[str], None] | None = None
) -> StackAddresses:
    """Start what is not running of the stack in `home` and return its addresses when all of it answers.

    `airflow=False` starts PostgreSQL, SeaweedFS and OpenBao only. `clock="sandbox"` marks the home as a sandbox, where
    a simulated clock is allowed (D15). Processes left by a killed stack of this home are ended first. Safe to repeat.
    Raises DependencyUnreachable, naming the log file, when a service does not come up.
    """
    policy.load()  # D5: a class of data without a destruction rule stops start-up
    layout = Layout.of(home).make()
    with held(layout.home / "stack.lock"):
        stack = _Stack(layout, clock, tell or _to_stderr())
        stack.ports = ports.remembered(layout.home)
        if not _runs_this(stack):
            stack.supervisor.shutdown()
            stack.launch()
        else:
            stack.write_settings()
        stack.raise_base(stack.migrate_airflow if airflow else lambda: None)
        if airflow:
            stack.await_airflow()
        return stack.addresses()


def stop(home: Path | str) -> None:
    """Stop every process of the stack in `home`, orderly first; leaves none. Data stays."""
    layout = Layout.of(home)
    if not layout.home.exists():
        return
    with held(layout.home / "stack.lock"):
        Supervisor(layout).shutdown()
        leftovers.end(layout)
        known = ports.remembered(layout.home)
        for stale in [*layout.sockets.glob("*.sock*"), *weed.stale_sockets(known)]:
            stale.unlink(missing_ok=True)
        if layout.sockets.parent != layout.home:
            layout.sockets.rmdir()


def status(home: Path | str) -> list[ServiceStatus]:
    """Each service of the stack in `home`, whether it runs or not."""
    layout = Layout.of(home)
    if not layout.home.exists():
        return [ServiceStatus(name, "down", None, "", None) for name in BASE + AIRFLOW]
    known, states = ports.remembered(layout.home), Supervisor(layout).states()
    port_names = {"weed": "s3", "api-server": "airflow"}
    rows = []
    for name in BASE + AIRFLOW:
        info = states.get(name, {})
        port = known.get(port_names.get(name, name))
        running = info.get("statename") == "RUNNING"
        rows.append(
            ServiceStatus(
                name,
                str(info.get("statename", "down")).lower(),
                int(info["pid"]) if info.get("pid") else None,
                f"127.0.0.1:{port}" if port else "",
                datetime.fromtimestamp(info["start"], UTC) if running else None,
            )
        )
    return rows


def _runs_this(stack: _Stack) -> bool:
    """Whether a supervisor with exactly this configuration is already up."""
    if len(stack.ports) != len(ports.NAMES) or not stack.supervisor.alive():
        return False
    try:
        return stack.layout.supervisor_conf.read_text() == render(stack.layout, stack.services())
    except OSError:
        return False


def _mark_sandbox(home: Path) -> None:
    """Allow the simulated clock here. Until someone sets it, it shows the real time."""
    if not (home / "sandbox.json").exists():
        if (home / "register.sqlite").exists():
            raise Misuse("this home already serves a deployment with the real clock; use another for the sandbox (D15)")
        time_source.mark_sandbox(home)
    if not (home / "clock.json").exists():
        real = datetime.now(UTC).isoformat()
        write_private(home / "clock.json", f'{{"simulated": "{real}", "set_at": "{real}"}}')


def _to_stderr() -> Callable[[str], None]:
    from rich.console import Console

    console, began = Console(stderr=True), time.monotonic()
    return lambda line: console.print(f"[dim]{time.monotonic() - began:5.1f} s[/dim]  {line}", highlight=False)
