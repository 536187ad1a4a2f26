"""The holdings register: the source of truth for what exists, where, and when it must go (D4)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Date, Engine, bindparam, create_engine, event, exists, func, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from linkage import clock, settings
from linkage.custody.migrations.guards import GUARDS
from linkage.custody.models import (
    LIVE,
    Base,
    CertificateRow,
    Holding,
    HoldingRow,
    IncidentRow,
    KeyRow,
    ParentRow,
    StepRow,
    SweepRow,
)
from linkage.custody.watch import alerts
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused, Misuse
from linkage.policy import Deadline

_MIGRATIONS = Path(__file__).with_name("migrations")
_KNOWN = (
    *(guard.message for guard in GUARDS),
    *(str(one.name) for table in Base.metadata.tables.values() for one in table.constraints if one.name),
)
_LOCKS = {"upgrade": 7102201, "ledger": 7102202, "destruction": 7102203}
_ALONE = text("SELECT pg_advisory_xact_lock(:key)")


class Register:
    """The register of one deployment. Every write is one transaction; nothing in it names a person."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str | None = None) -> Register:
        """The register in force, its schema brought up to date. One engine per process and URL.

        Raises DependencyUnreachable.
        """
        return _open(url or settings.load().register, os.getpid())

    @contextmanager
    def transaction(self, lock: str | None = None) -> Iterator[Session]:
        """A session in one transaction, alone in the deployment when it names a `lock`."""
        try:
            with Session(self.engine, expire_on_commit=False) as session, session.begin():
                if lock:
                    _lock(session.connection(), lock)
                yield session
        except OperationalError as error:
            raise _away(error) from None
        except DBAPIError as error:
            if error.connection_invalidated:  # the server went away under us: psycopg2 has several names for it
                raise _away(error) from None
            raise CheckFailed(f"the register refused a change: {_constraint(error)}") from None

    @contextmanager
    def alone(self, holding_id: str) -> Iterator[None]:
        """Be the only process (and thread) that destroys this holding; whoever comes second waits (D7).

        Held by a connection of its own, so it ends with the process that took it, however that dies.
        """
        if self.engine.dialect.name == "postgresql":
            with _advisory(self.engine, holding_id):
                yield
        else:
            with _file_lock(Path(f"{self.engine.url.database}.lock")):
                yield

    def get(self, holding_id: str) -> Holding:
        """The holding. Raises Misuse for an unknown id."""
        with self.transaction() as session:
            return Holding.of(row_of(session, holding_id))

    def find(
        self,
        store: str | None = None,
        dataset_class: str | None = None,
        programme: str | None = None,
        wave: str | None = None,
        state: str | Sequence[str] | None = "held",
        natural_key: str | None = None,
        holder: str | None = None,
    ) -> list[Holding]:
        """Holdings that agree with every condition given, oldest first; `state=None` takes all states."""
        wanted = {
            HoldingRow.store: store,
            HoldingRow.dataset_class: dataset_class,
            HoldingRow.programme: programme,
            HoldingRow.wave: wave,
            HoldingRow.natural_key: natural_key,
            HoldingRow.holder: holder,
        }
        query = select(HoldingRow).order_by(HoldingRow.received_at, HoldingRow.created_at, HoldingRow.id)
        for column, value in wanted.items():
            if value is not None:
                query = query.where(column == value)
        if state is not None:
            query = query.where(HoldingRow.state.in_([state] if isinstance(state, str) else list(state)))
        return self._list(query)

    def due(self, before: datetime, stores: Sequence[str] | None = None) -> list[Holding]:
        """What must be destroyed before that instant, earliest first; whatever is begun belongs to it (D6, D7)."""
        certified = exists().where(CertificateRow.holding_id == HoldingRow.id)
        begun = (HoldingRow.state == "destroying") | ((HoldingRow.state == "destroyed") & ~certified)
        due = HoldingRow.state.in_(LIVE) & (HoldingRow.target < before)
        query = select(HoldingRow).where(begun | due)
        if stores is not None:
            query = query.where(HoldingRow.store.in_(list(stores)))
        return self._list(query.order_by(HoldingRow.target, HoldingRow.id))

    def overdue(self, now: datetime) -> list[Holding]:
        """What still exists although its legal deadline has come (D3, N10, N15)."""
        query = select(HoldingRow).where(HoldingRow.state.in_(LIVE), HoldingRow.legal <= now)
        return self._list(query.order_by(HoldingRow.legal, HoldingRow.id))

    def late(self, now: datetime) -> list[Holding]:
        """What still exists although its operational target has passed; a healthy sweep leaves none (D1, D6)."""
        query = select(HoldingRow).where(HoldingRow.state.in_(LIVE), HoldingRow.target <= now)
        return self._list(query.order_by(HoldingRow.target, HoldingRow.id))

    def counts(self) -> dict[str, int]:
        """`{"held", "destroyed", "overdue"}`; whatever is not destroyed counts as held."""
        with self.transaction() as session:
            told = session.execute(select(HoldingRow.state, func.count()).group_by(HoldingRow.state)).all()
        by_state: dict[str, int] = {state: number for state, number in told}
        destroyed = by_state.pop("destroyed", 0)
        return {"held": sum(by_state.values()), "destroyed": destroyed, "overdue": len(self.overdue(clock.now()))}

    def parents(self, holding_id: str) -> list[str]:
        """Ids of what the holding was made from."""
        return self._ids(select(ParentRow.parent_id).where(ParentRow.child_id == holding_id))

    def children(self, holding_id: str) -> list[str]:
        """Ids of what was made from the holding."""
        return self._ids(select(ParentRow.child_id).where(ParentRow.parent_id == holding_id))

    def steps(self, holding_id: str) -> dict[str, dict[str, Any]]:
        """The steps of its destruction that are done, with their details and `at` (D7)."""
        with self.transaction() as session:
            rows = session.scalars(select(StepRow).where(StepRow.holding_id == holding_id)).all()
        return {row.step: {**row.detail, "at": row.at.isoformat()} for row in rows}

    def certificate(self, holding_id: str) -> CertificateRow | None:
        """The certificate of a holding, if it has one."""
        with self.transaction() as session:
            return session.scalars(select(CertificateRow).where(CertificateRow.holding_id == holding_id)).first()

    def certificates(self) -> list[CertificateRow]:
        """Every certificate, oldest first."""
        with self.transaction() as session:
            return list(session.scalars(select(CertificateRow).order_by(CertificateRow.issued_at, CertificateRow.id)))

    def incident(self, kind: str, subject: str, detail: str, store: str | None = None) -> None:
        """Record an incident once per kind and subject; `detail` holds ids and reasons, never values.

        A new one is kept as an alert as well, which goes out with the next delivery: at the end of a sweep or a
        reconciliation, or with the watchdog.
        """
        row = IncidentRow(at=clock.now(), kind=kind, subject=subject, detail=detail, store=store)
        with self.transaction(lock="ledger") as session:
            known = session.scalars(select(IncidentRow).filter_by(kind=kind, subject=subject)).first()
            if known is None:
                session.add(row)
        if known is None:
            alerts.keep(kind, row.sentence, at=row.at)

    def incidents(self, since: datetime | None = None) -> list[IncidentRow]:
        """Every incident, or those after an instant, oldest first."""
        query = select(IncidentRow).order_by(IncidentRow.id)
        with self.transaction() as session:
            return list(session.scalars(query if since is None else query.where(IncidentRow.at > since)))

    def last_sweep(self) -> SweepRow | None:
        """The latest sweep that reported (D13)."""
        with self.transaction() as session:
            return session.scalars(select(SweepRow).order_by(SweepRow.reported_at.desc()).limit(1)).first()

    def keys(self, destroyed: bool | None = None) -> list[KeyRow]:
        """Key-encryption keys, earliest date first; `destroyed` narrows to gone or living ones."""
        query = select(KeyRow).order_by(KeyRow.due_on, KeyRow.name)
        if destroyed is not None:
            query = query.where(KeyRow.destroyed_at.is_not(None) if destroyed else KeyRow.destroyed_at.is_(None))
        with self.transaction() as session:
            return list(session.scalars(query))

    def _list(self, query: Any) -> list[Holding]:
        with self.transaction() as session:
            return [Holding.of(row) for row in session.scalars(query)]

    def _ids(self, query: Any) -> list[str]:
        with self.transaction() as session:
            return sorted(session.scalars(query))


def row_of(session: Session, holding_id: str, lock: bool = False) -> HoldingRow:
    """The row of a holding, locked for this transaction when asked. Raises Misuse."""
    row = session.get(HoldingRow, holding_id, with_for_update=lock or None)
    if row is None:
        raise Misuse(f"no holding is called {holding_id}")
    return row


def rows_of(session: Session, holding_ids: Sequence[str]) -> list[HoldingRow]:
    """The rows of several holdings, locked for this transaction, always in the order of their ids. Raises Misuse."""
    query = select(HoldingRow).where(HoldingRow.id.in_(holding_ids)).order_by(HoldingRow.id).with_for_update()
    found = list(session.scalars(query))
    if missing := set(holding_ids) - {row.id for row in found}:
        raise Misuse(f"no holding is called {min(missing)}")
    return found


def hold_lock(session: Session, name: str) -> None:
    """Be alone in the deployment, under that lock, until this transaction ends."""
    _lock(session.connection(), name)


def register_key(session: Session, name: str, store: str, due_on: date | None) -> KeyRow:
    """Note that a key-encryption key is in use, and lock its row against a destruction running beside us.

    A destroyed key never comes back under its name, or its certificates would read wrong: FlowRefused (D6).
    """
    noted = text(
        "INSERT INTO key_encryption_keys (name, store, due_on) VALUES (:name, :store, :due) ON CONFLICT DO NOTHING"
    )
    session.execute(noted.bindparams(bindparam("due", type_=Date)), {"name": name, "store": store, "due": due_on})
    row = session.get_one(KeyRow, name, with_for_update=True)
    if row.destroyed_at is not None:
        raise FlowRefused("D6", f"the key {name} is destroyed: the sweep of its date has run; this comes too late")
    return row


def deadline_of(holding: Holding) -> Deadline:
    """The deadline of a holding as the policy speaks of it."""
    return Deadline(holding.target, holding.legal, holding.rule)


def upgrade(engine: Engine, revision: str | None = None) -> None:
    """Bring the register's schema up to date, or to a `revision`; safe when several processes start at once."""
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    # At every start of a process, alembic would tell task logs that it has nothing to do.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    wanted = revision or ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "register_version"})
        if context.get_current_revision() == wanted:
            return
    with engine.begin() as connection:
        _lock(connection, "upgrade")
        config.attributes["connection"] = connection
        command.upgrade(config, str(wanted))


@lru_cache(maxsize=16)
def _open(url: str, _process: int) -> Register:
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    try:
        upgrade(engine)
    except OperationalError:
        raise DependencyUnreachable("the register cannot be reached; nothing was lost, run again") from None
    return Register(engine)


@contextmanager
def _advisory(engine: Engine, name: str) -> Iterator[None]:
    key = {"space": _LOCKS["destruction"], "name": name}
    try:
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("SELECT pg_advisory_lock(:space, hashtext(:name))"), key)
    except DBAPIError as error:
        raise _away(error) from None
    try:
        yield
    finally:
        # A connection that broke has given up its lock already.
        with suppress(DBAPIError):
            connection.execute(text("SELECT pg_advisory_unlock(:space, hashtext(:name))"), key)
        with suppress(DBAPIError):
            connection.close()


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    """One destruction at a time on SQLite, where one machine is all there is; the lock dies with its process."""
    import fcntl

    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _lock(connection: Connection, name: str) -> None:
    """One at a time: an advisory lock on PostgreSQL; on SQLite every transaction of ours is alone already."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ALONE, {"key": _LOCKS[name]})


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "busy_timeout=30000", "foreign_keys=ON", "synchronous=FULL", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _away(error: DBAPIError) -> DependencyUnreachable:
    """Why the database did not do it, as far as an operator can act on it."""
    told = str(error.orig)
    if "disk is full" in told or "No space left" in told:  # SQLite's words, and PostgreSQL's
        return DependencyUnreachable("the register's disk is full; nothing was lost, make room and run again")
    return DependencyUnreachable("the register cannot be reached; nothing was lost, run again")


def _constraint(error: DBAPIError) -> str:
    """Which constraint or guard refused, without the values the driver would quote."""
    told = str(error.orig)
    for known in _KNOWN:
        if known in told:
            return known
    return type(error).__name__
