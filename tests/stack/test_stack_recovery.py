"""The base stack started for real: in awkward places, killed at once, started again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from linkage.settings import REPOSITORY
from linkage.stack import StackAddresses, leftovers, ports, start, status, stop, weed
from linkage.stack.layout import Layout
from linkage.stack.secrets import Secrets
from linkage.stack.supervision import BASE

pytestmark = pytest.mark.servers


@pytest.fixture
def deep_home() -> Iterator[Path]:
    """A home with an awkward name, far below a folder that only its owner may enter."""
    top = Path(tempfile.mkdtemp(prefix="linkage-deep-"))
    top.chmod(0o700)
    home = top / ("far below " * 8) / "100% odd"
    yield home
    stop(home)
    shutil.rmtree(top)


def listening() -> dict[int, set[str]]:
    """Inode-free view of this machine's TCP listeners: port to local addresses."""
    found: dict[int, set[str]] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == "0A":
                address, port = local.split(":")
                found.setdefault(int(port, 16), set()).add(address)
    return found


def put(addresses: StackAddresses, count: int) -> None:
    client = weed.admin_client(addresses.s3_endpoint, Secrets(addresses.home))
    for number in range(count):
        client.put_object(Bucket="dwp-vault", Key=f"part-{number}", Body=str(number).encode() * 1000)


def kept(addresses: StackAddresses) -> list[bytes]:
    client = weed.admin_client(addresses.s3_endpoint, Secrets(addresses.home))
    names = [item["Key"] for item in client.list_objects_v2(Bucket="dwp-vault")["Contents"]]
    ordered = sorted(names, key=lambda name: int(name.split("-")[1]))
    return [client.get_object(Bucket="dwp-vault", Key=name)["Body"].read() for name in ordered]


def plain(url: str) -> str:
    return url.replace("+psycopg2", "")


def test_everything_killed_at_once_loses_nothing_acknowledged(deep_home: Path) -> None:
    first = start(deep_home, airflow=False, tell=lambda _: None)
    layout = Layout.of(deep_home)
    with psycopg2.connect(plain(first.register_url)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE trial AS SELECT 42 AS answer")
    put(first, 60)
    token = Secrets(layout.home).of("dwp")["keys_token"]
    for pid in sorted(leftovers.find(layout)):
        os.kill(pid, signal.SIGKILL)

    again = start(deep_home, airflow=False, tell=lambda _: None)

    assert again == first
    assert kept(again) == [str(number).encode() * 1000 for number in range(60)]
    with psycopg2.connect(plain(again.register_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT answer FROM trial")
        assert cursor.fetchall() == [(42,)]
    assert Secrets(layout.home).of("dwp")["keys_token"] == token
    assert {s.name for s in status(deep_home) if s.state in ("running", "starting")} == set(BASE)

    stop(deep_home)
    assert leftovers.find(layout) == set()
    assert not [s for s in status(deep_home) if s.pid]


def test_a_killed_service_comes_back_by_itself(stack: StackAddresses) -> None:
    before = {s.name: s.pid for s in status(stack.home)}
    assert before["bao"]
    os.kill(before["bao"], signal.SIGKILL)
    start(stack.home, airflow=False, tell=lambda _: None)
    after = {s.name: s.pid for s in status(stack.home)}
    assert after["bao"] not in (None, before["bao"])
    assert {name: pid for name, pid in after.items() if name != "bao"} == {
        n: p for n, p in before.items() if n != "bao"
    }


def test_a_transaction_that_airflow_forgot_ends_and_a_sweeps_may_take_its_time(stack: StackAddresses) -> None:
    """A run whose row stays locked is passed over by every scheduler."""
    with psycopg2.connect(plain(stack.register_url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolname, rolconfig FROM pg_roles WHERE rolname IN ('airflow', 'linkage')")
        settings = {role: told or [] for role, told in cursor.fetchall()}
        assert "idle_in_transaction_session_timeout=60s" in settings["airflow"]
        assert not [one for one in settings["linkage"] if one.startswith("idle_in_transaction")]
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("0",)


def test_a_killed_supervisor_alone_is_replaced_with_all_it_ran(deep_home: Path) -> None:
    start(deep_home, airflow=False, tell=lambda _: None)
    layout = Layout.of(deep_home)
    supervisor = int((layout.home / "supervisord.pid").read_text())
    orphans = leftovers.find(layout) - {supervisor}
    os.kill(supervisor, signal.SIGKILL)
    start(deep_home, airflow=False, tell=lambda _: None)
    assert not orphans & leftovers.find(layout)


def test_initialisation_killed_before_its_token_was_recorded_begins_anew(deep_home: Path) -> None:
    start(deep_home, airflow=False, tell=lambda _: None)
    stop(deep_home)
    layout = Layout.of(deep_home)
    stack_file = layout.home / "secrets" / "stack.json"
    told = json.loads(stack_file.read_text())
    del told["bao_root_token"]
    stack_file.write_text(json.dumps(told))
    for file in (layout.home / "secrets").glob("*.json"):
        file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != "keys_token"}))
    start(deep_home, airflow=False, tell=lambda _: None)
    assert Secrets(layout.home).of("witness")["keys_token"]


def test_every_listener_is_on_loopback(stack: StackAddresses) -> None:
    """N11: nothing of the stack can be reached from another machine."""
    mine = set(ports.remembered(stack.home).values())
    heard = {port: addresses for port, addresses in listening().items() if port in mine}
    assert len(heard) >= 11
    assert {address for addresses in heard.values() for address in addresses} == {"0100007F"}


# A namespace where root's files belong to user 1000: this checkout and its interpreter may lie below root's own folder.
AS_USER_1000 = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


@pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run([*AS_USER_1000, "true"], check=False, capture_output=True).returncode != 0,
    reason="already not root, or user namespaces are switched off",
)
def test_a_user_who_is_not_root_can_run_it() -> None:
    home = Path(tempfile.mkdtemp(prefix="linkage-user-"))
    script = (
        "import sys; from linkage import stack; home = sys.argv[1]\n"
        "stack.start(home, airflow=False, tell=lambda _: None)\n"
        "print(sorted(s.name for s in stack.status(home) if s.pid)); stack.stop(home)\n"
        "print([s.name for s in stack.status(home) if s.pid])"
    )
    try:
        done = subprocess.run(
            [*AS_USER_1000, sys.executable, "-c", script, str(home)],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.splitlines() == ["['bao', 'postgres', 'weed']", "[]"], done.stderr
    finally:
        leftovers.end(Layout.of(home))
        shutil.rmtree(home)
