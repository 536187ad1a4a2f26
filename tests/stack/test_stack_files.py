"""Secrets, ports, folders and configuration of the embedded stack, without starting anything."""

from __future__ import annotations

import configparser
import os
import socket
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from linkage import clock
from linkage.stack import leftovers, lifecycle, ports, postgres
from linkage.stack.launch import read_env
from linkage.stack.layout import MARK, SOCKET_PATH_LIMIT, Layout
from linkage.stack.principals import all_principals
from linkage.stack.secrets import Secrets, write_private
from linkage.stack.supervision import AIRFLOW, BASE, render


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_private_and_one_file_per_principal(tmp_path: Path) -> None:
    """N3, N11: mode 600 in a folder of mode 700; no principal's file holds another's credential."""
    secrets = Secrets(tmp_path)
    assert mode(tmp_path / "secrets") == 0o700
    assert {mode(file) for file in (tmp_path / "secrets").iterdir()} == {0o600}
    keys = [secrets.of(principal.name)["s3_secret_key"] for principal in all_principals()]
    assert len(set(keys)) == len(keys) == 10 + 6 + 2


def test_secrets_stay_the_same_at_the_next_start(tmp_path: Path) -> None:
    first = Secrets(tmp_path)
    first.keep("dwp", keys_token="issued")
    again = Secrets(tmp_path)
    assert again.stack == first.stack
    assert again.of("dwp") == {**first.of("dwp"), "principal": "dwp", "keys_token": "issued"}


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert (file.read_text(), mode(file), [p.name for p in tmp_path.iterdir()]) == ("new", 0o600, ["x.json"])


def test_ports_are_remembered_until_a_stranger_takes_one(tmp_path: Path) -> None:
    first = ports.choose(tmp_path)
    assert ports.choose(tmp_path) == first
    assert len(set(first.values())) == len(ports.NAMES)
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", first["s3"]))
        stranger.listen()
        second = ports.choose(tmp_path, patience=0)
    assert second["s3"] != first["s3"]
    assert {name for name in first if first[name] != second[name]} == {"s3"}


def test_a_torn_ports_file_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text('{"s3": 20')
    assert set(ports.choose(tmp_path)) == set(ports.NAMES)


def test_a_deep_home_keeps_its_sockets_within_the_limit(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path / ("deep" * 30))
    assert len(os.fsencode(layout.supervisor_socket)) <= SOCKET_PATH_LIMIT
    assert mode(layout.sockets) == 0o700
    layout.sockets.rmdir()


@pytest.fixture
def rendered(tmp_path: Path) -> tuple[lifecycle._Stack, str]:
    layout = Layout.of(tmp_path / "a home 100% odd").make()
    stack = lifecycle._Stack(layout, "sandbox", lambda _: None)
    stack.ports = ports.choose(layout.home)
    stack.write_settings()
    return stack, render(layout, stack.services())


def test_the_supervisor_runs_every_service_and_ends_whole_groups(rendered: tuple[lifecycle._Stack, str]) -> None:
    parsed = configparser.ConfigParser(interpolation=None)
    parsed.read_string(rendered[1])
    programs = {name.split(":")[1]: parsed[name] for name in parsed.sections() if name.startswith("program:")}
    assert set(programs) == {*BASE, *AIRFLOW}
    assert {section["killasgroup"] for section in programs.values()} == {"true"}
    assert {section["autorestart"] for section in programs.values()} == {"true"}


def test_no_secret_stands_in_the_supervisors_configuration(rendered: tuple[lifecycle._Stack, str]) -> None:
    stack, text = rendered
    assert not [name for name, value in stack.secrets.stack.items() if value in text]


def test_every_listener_is_told_to_stay_on_loopback(rendered: tuple[lifecycle._Stack, str]) -> None:
    stack, text = rendered
    assert "0.0.0.0" not in text
    assert "-ip.bind=127.0.0.1" in text
    assert "listen_addresses=127.0.0.1" in text
    assert read_env(stack.layout.airflow_env)["AIRFLOW__API__HOST"] == "127.0.0.1"


def test_settings_files_are_private_and_name_the_deployment(rendered: tuple[lifecycle._Stack, str]) -> None:
    stack, _ = rendered
    assert mode(stack.layout.stack_env) == mode(stack.layout.airflow_env) == 0o600
    told = read_env(stack.layout.stack_env)
    assert told["LINKAGE_HOME"] == str(stack.layout.home)
    assert told["LINKAGE_CLOCK"] == "sandbox"
    assert told["LINKAGE_REGISTER_URL"].startswith("postgresql+psycopg2://linkage:")


def test_a_sandbox_is_marked_and_shows_the_real_time_until_told(
    rendered: tuple[lifecycle._Stack, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """D15: the simulated clock is allowed in a marked home only."""
    monkeypatch.setenv("LINKAGE_HOME", str(rendered[0].layout.home))
    monkeypatch.setenv("LINKAGE_CLOCK", "sandbox")
    before = datetime.now(UTC)
    assert clock.is_simulated()
    assert clock.now() >= before - timedelta(seconds=1)


def test_leftovers_are_this_homes_processes_and_nobody_elses(tmp_path: Path) -> None:
    mine, other = Layout.of(tmp_path / "mine"), Layout.of(tmp_path / "other")
    sleep = [sys.executable, "-c", "import subprocess, sys; subprocess.run(['sleep', '60'], env={})"]
    children = [subprocess.Popen(sleep, env={MARK: str(layout.home)}) for layout in (mine, other)]
    try:
        # the grandchild has no mark of its own; it counts by descent
        while len(leftovers.find(mine)) < 2 or len(leftovers.find(other)) < 2:
            assert children[0].poll() is None
        assert leftovers.end(mine) == 2
        assert children[0].wait(5) != 0
        assert children[1].poll() is None
        assert leftovers.find(mine) == set()
    finally:
        leftovers.end(other)
        children[1].wait(5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sheds its rights")
def test_postgres_programs_below_a_folder_only_root_may_enter_can_still_be_run(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "program"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    # `test -x` asks access(2), as initdb does for the postgres beside it.
    assert subprocess.run([*postgres.unprivileged(), "/usr/bin/test", "-x", str(program)], check=False).returncode == 0


def test_the_ports_of_a_new_home_lie_side_by_side(tmp_path: Path) -> None:
    told = sorted(ports.choose(tmp_path).values())
    assert told == list(range(told[0], told[0] + len(ports.NAMES)))
