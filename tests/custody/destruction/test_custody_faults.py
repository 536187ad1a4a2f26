"""Servers in trouble: nothing that must stay is lost, nothing is certified that is not gone, and the next run completes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import hvac
import psycopg2
import pytest
from fault_proxy import KINDS, Trouble, is_delete, proxy
from many_versions import pile, seen_by_an_administrator
from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from linkage import settings
from linkage.custody import faults
from linkage.custody.destruction.sweep import sweep
from linkage.custody.evidence import certificate, ledger, merkle
from linkage.custody.stores import objects
from linkage.custody.vault import Vault
from linkage.errors import LinkageError
from linkage.stack import bao
from linkage.stack.binaries import program
from linkage.stack.layout import Layout
from linkage.stack.postgres import SUPERUSER
from linkage.stack.secrets import Secrets
from linkage.stack.supervision import Supervisor
from linkage.stack.weed import admin_client

DUE = date(2022, 10, 30)


@dataclass(frozen=True)
class Said:
    """What a command left with, and what it said."""

    exit_code: int
    output: str


def _command(*words: str) -> Said:
    """As `linkage.cli.main` would leave: an error's own exit code, its message on stderr."""
    from linkage.cli import app

    done = CliRunner().invoke(app, list(words), catch_exceptions=True)
    if isinstance(done.exception, LinkageError):
        return Said(done.exception.exit_code, f"{done.output}{done.exception}")
    return Said(done.exit_code, done.output)


@pytest.fixture
def kept(real_house):
    """Something due, and something that must stay, with the promise that it did."""
    stays = real_house.put("ons-identity", "identity_file", data=b"must stay")
    due = [real_house.put(data=b"must go") for _ in range(2)]
    yield due
    assert Vault("ons-identity").read_bytes(stays.id) == b"must stay"


def _completes(house, due) -> None:
    """What is left to do is done by one more run, with one certificate each."""
    report = sweep()
    assert report.failed == []
    assert {house.register.get(one.id).state for one in due} == {"destroyed"}
    assert seen_by_an_administrator("authority-vault") == 0
    assert certificate.counts() == {"issued": len(due), "verified": len(due)}


def _nothing_early(house) -> None:
    for row in house.register.certificates():
        assert seen_by_an_administrator("authority-vault", f"holdings/{row.holding_id}/") == 0


@contextmanager
def _trouble(real_house, monkeypatch: pytest.MonkeyPatch, kind: str) -> Iterator[Callable[[Trouble], None]]:
    """The object store behind the proxy; only where it falls silent is patience short: a busy machine is no trouble."""
    conf = settings.load()
    monkeypatch.setattr(objects, "ATTEMPTS", 2)
    admin = admin_client(conf.s3_endpoint, Secrets(conf.home))
    with proxy(conf.s3_endpoint, admin) as (endpoint, make), monkeypatch.context() as patch:
        patch.setenv("LINKAGE_S3_ENDPOINT", endpoint)
        if kind == "silence":
            patch.setenv("LINKAGE_S3_TIMEOUT_SECONDS", "2")
        yield make


@pytest.mark.servers
@pytest.mark.parametrize("kind", KINDS)
def test_an_object_store_in_trouble_is_told_tried_again_and_never_believed(
    real_house, kept, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """D7: every kind of trouble from the one list, first lasting, then gone."""
    pile(kept, versions=4, markers=2)
    real_house.at(DUE, 12)
    with _trouble(real_house, monkeypatch, KINDS[kind]) as make:
        make(Trouble(is_delete, KINDS[kind]))
        if kind == "partial deletions":  # each answer deletes half: three rounds leave some of five
            monkeypatch.setattr(objects, "_ROUNDS", 1)
        told = _command("sweep", "--json")
        monkeypatch.setattr(objects, "_ROUNDS", 3)
        make(Trouble())
        said = _command("sweep", "--dry-run").output
    checked = kind in ("partial deletions", "deletions that are said and not done")
    assert told.exit_code == (1 if checked else 4), told.output
    assert "2 failed" in told.output
    assert "NOT destroyed yet (" in told.output
    assert "2 due" in said
    assert real_house.register.certificates() == []
    expected = "destruction_failed" if checked else "destruction_delayed"
    assert {(one.kind, one.subject) for one in real_house.register.incidents()} == {(expected, one.id) for one in kept}
    _completes(real_house, kept)


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["500 InternalError", "503 SlowDown", "cut", "partial"])
def test_trouble_that_passes_is_not_even_noticed(real_house, kept, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """D7: retried within the run."""
    pile(kept, versions=3)
    real_house.at(DUE, 12)
    with _trouble(real_house, monkeypatch, kind) as make:
        make(Trouble(is_delete, kind, times=1))
        report = sweep()
    assert report.ok and report.destroyed == 2
    assert real_house.register.incidents() == []


@contextmanager
def _stopped(service: str) -> Iterator[None]:
    supervisor = Supervisor(Layout.of(settings.load().home))
    supervisor.stop(service)
    try:
        yield
    finally:
        supervisor.start(service)
        _await(service, supervisor)


def _await(service: str, supervisor: Supervisor) -> None:
    def ready() -> bool:
        if service == "bao":
            return bao.health(settings.load().keys_url) == 200
        try:
            psycopg2.connect(os.environ["PLAIN_REGISTER_URL"].replace("+psycopg2", "")).close()
        except psycopg2.OperationalError:
            return False
        return True

    supervisor.await_ready(service, ready)


@pytest.mark.servers
def test_a_sealed_key_service_stops_nothing_for_good(real_house, kept) -> None:
    """D7: OpenBao sealed: the data stays whole and is not certified; unsealed, it goes."""
    real_house.at(DUE, 12)
    told = Secrets(settings.load().home)
    hvac.Client(url=settings.load().keys_url, token=told.stack["bao_root_token"]).sys.seal()
    try:
        assert bao.health(settings.load().keys_url) == 503
        report = _command("sweep")
        assert report.exit_code == 4
        assert "NOT destroyed yet (the key service cannot be reached; nothing was lost, run again)" in report.output
        assert real_house.register.certificates() == []
        assert {one.kind for one in real_house.register.incidents()} == {"destruction_delayed"}
    finally:
        with _stopped("bao"):
            pass  # it unseals itself when it starts
    _completes(real_house, kept)


@pytest.mark.servers
@pytest.mark.parametrize("point", ["after_some_objects", "verified_written", "after_signature"])
@pytest.mark.parametrize("comes_back", [True, False], ids=["restarted", "down until the next run"])
def test_a_database_that_goes_in_the_middle_of_a_sweep_loses_nothing(
    real_house, kept, monkeypatch: pytest.MonkeyPatch, point: str, comes_back: bool
) -> None:
    """D7: between two steps and inside a transaction."""
    real_house.at(DUE, 12)
    supervisor, met = Supervisor(Layout.of(settings.load().home)), []

    def reach(name: str) -> None:
        if name == point and not met:
            met.append(name)
            supervisor.stop("postgres")
            if comes_back:
                supervisor.start("postgres")
                _await("postgres", supervisor)

    monkeypatch.setattr(faults, "reach", reach)
    try:
        told = _command("sweep")
    finally:
        supervisor.start("postgres")
        _await("postgres", supervisor)
    assert met
    assert told.exit_code == 4 or (comes_back and told.exit_code == 0), told.output
    if told.exit_code == 4:
        assert "nothing was lost, run again" in told.output
    _nothing_early(real_house)
    _completes(real_house, kept)


@pytest.mark.parametrize("room", [0, 3, 8])
def test_a_full_disk_under_register_and_ledger_loses_nothing(doubled_house, room: int) -> None:
    """D7, D11: SQLite answers "disk is full" after so many pages more, in the middle of whatever step that is."""
    house = doubled_house
    due = [house.put() for _ in range(3)]
    house.at(DUE, 12)
    engine = house.register.engine
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()

    def full(connection, _record) -> None:
        connection.execute(f"PRAGMA max_page_count={pages + room}")

    event.listen(engine, "connect", full)
    engine.dispose()
    try:
        told = _command("sweep")
    finally:
        event.remove(engine, "connect", full)
        engine.dispose()
    for row in house.register.certificates():
        assert house.versions(house.register.get(row.holding_id)) == 0
    if told.exit_code:
        assert told.exit_code == 4
        assert "the register's disk is full; nothing was lost, make room and run again" in told.output
    assert sweep().failed == []
    assert certificate.counts() == {"issued": 3, "verified": 3}
    assert {house.register.get(one.id).state for one in due} == {"destroyed"}


@contextmanager
def _small_disk(folder: Path) -> Iterator[Callable[[bool], None]]:
    """A file system of two megabytes with PostgreSQL's tables of evidence on it, and how to fill it or make room."""
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "small", folder], check=False).returncode
    ):
        pytest.skip("mounting a small file system needs root and CAP_SYS_ADMIN")
    shutil.chown(folder, "nobody")
    plain = make_url(os.environ["PLAIN_REGISTER_URL"])
    told = Secrets(settings.load().home).stack["postgres_password"]
    admin = create_engine(plain.set(username=SUPERUSER, password=told), isolation_level="AUTOCOMMIT")
    schema = settings.load().register.rsplit("%3D", 1)[1]
    evidence = [f"{schema}.{name}" for name in ("ledger_entries", "destruction_steps", "certificates")]
    filler = folder / "filler"

    def fill(full: bool) -> None:
        filler.unlink(missing_ok=True)
        if full:
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))

    def move(to: str) -> None:
        with admin.connect() as connection:
            for table in evidence:
                connection.exec_driver_sql(f"ALTER TABLE {table} SET TABLESPACE {to}")

    try:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE TABLESPACE small LOCATION '{folder}'")
        move("small")
        yield fill
    finally:
        fill(full=False)
        move("pg_default")
        with admin.connect() as connection:
            connection.exec_driver_sql("DROP TABLESPACE IF EXISTS small")
        admin.dispose()
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.servers
def test_a_full_disk_under_postgresql_loses_nothing(real_house, kept, tmp_path_factory) -> None:
    """D7, D11: a real disk, really full, under the ledger, the steps and the certificates."""
    due = [*kept, *(real_house.put(data=b"must go") for _ in range(10))]
    real_house.at(DUE, 12)
    with _small_disk(tmp_path_factory.mktemp("small")) as fill:
        fill(True)
        told = _command("sweep")
        assert told.exit_code == 4, told.output
        assert "the register's disk is full; nothing was lost, make room and run again" in told.output
        assert len(real_house.register.certificates()) < len(due)
        _nothing_early(real_house)
        fill(False)
        _completes(real_house, due)
        with real_house.register.transaction() as session:
            leaves = ledger.leaves(session)
            assert ledger._frontier(session).head() == merkle.root(merkle.leaf_hash(leaf.encode()) for leaf in leaves)


@pytest.mark.servers
def test_a_full_disk_under_the_log_of_a_sweep_undoes_nothing(real_house, kept) -> None:
    """D7: the sentences are lost, the destruction, its certificates and the ledger are not."""
    real_house.at(DUE, 12)
    with open("/dev/full", "w") as full:  # noqa: PTH123  (a device, whose every write says that the disk is full)
        done = subprocess.run(
            [program("linkage"), "sweep"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 4
    assert "the disk is full and the output is cut short; what was done stands" in done.stderr
    assert "Traceback" not in done.stderr
    assert certificate.counts() == {"issued": 2, "verified": 2}
    _completes(real_house, kept)


def test_a_clock_that_jumps_back_in_the_middle_of_a_sweep_postpones_nothing(house, monkeypatch) -> None:
    """D6, D7."""
    stays = house.put("ons-identity", "identity_file", data=b"must stay")
    due = [house.put() for _ in range(2)]
    house.at(DUE, 12)
    monkeypatch.setattr(faults, "reach", lambda name: house.at(date(2022, 10, 5)) if name == "after_key_step" else None)
    assert sweep().destroyed == 2
    assert certificate.counts() == {"issued": 2, "verified": 2}
    assert {house.register.get(one.id).state for one in due} == {"destroyed"}
    assert [house.versions(one) for one in due] == [0, 0]
    assert Vault("ons-identity").read_bytes(stays.id) == b"must stay"
