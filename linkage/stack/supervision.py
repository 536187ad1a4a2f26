"""The process supervisor: what it runs, in which order it stops it, and how to talk to it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linkage.errors import DependencyUnreachable
from linkage.stack import launch
from linkage.stack.layout import MARK, Layout
from linkage.stack.secrets import write_private

BASE: tuple[str, ...] = ("weed", "bao", "postgres")
AIRFLOW: tuple[str, ...] = ("api-server", "scheduler", "dag-processor", "triggerer")
# A busy machine is slow, not broken; a broken service is told apart by its state.
PATIENCE_SECONDS = 400.0

_ALREADY_STARTED = 60


@dataclass(frozen=True)
class Service:
    """One supervised program. Services of a lower `rank` stop later."""

    name: str
    command: Sequence[str]
    rank: int
    env_files: tuple[Path, ...] = ()
    stop_signal: str = "TERM"
    patience: int = 20
    directory: Path = Path("/")

    def render(self, layout: Layout) -> str:
        """Its section of the supervisor's configuration."""
        # Isolated and by path: the launcher needs the standard library only, and starts in a few milliseconds.
        launcher = [sys.executable, "-I", "-S", launch.__file__, *map(str, self.env_files), "--"]
        prefix = launcher if self.env_files else []
        options = {
            "command": " ".join(_quote(word) for word in [*prefix, *self.command]),
            "directory": _percent(str(self.directory)),
            "priority": self.rank,
            "autostart": "false",
            "autorestart": "true",
            "startsecs": 1,
            "startretries": 10,
            "stopsignal": self.stop_signal,
            "stopwaitsecs": self.patience,
            "stopasgroup": "true",
            "killasgroup": "true",
            "redirect_stderr": "true",
            # Relative to home, where the supervisor stands: it expands this one option twice, percent signs included.
            "stdout_logfile": log_of(layout, self.name).relative_to(layout.home),
            "stdout_logfile_maxbytes": "20MB",
            "stdout_logfile_backups": 2,
        }
        if self.name == "postgres":
            # Fast shutdown belongs to the postmaster; a signal to its children as well would read as a crash.
            options["stopasgroup"] = "false"
        return f"[program:{self.name}]\n" + "".join(f"{name}={value}\n" for name, value in options.items())


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _quote(word: str) -> str:
    return _percent('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' if set(word) & set(" \"'\\;") else word)


def log_of(layout: Layout, service: str) -> Path:
    """The log file of a service."""
    return layout.logs / f"{service}.log"


def render(layout: Layout, services: Sequence[Service]) -> str:
    """The whole configuration. Environment comes from the launching process and from env files: no secret is in it."""
    head: dict[str, dict[str, object]] = {
        "unix_http_server": {"file": layout.supervisor_socket, "chmod": "0700"},
        "supervisord": {
            "nodaemon": "true",
            "logfile": layout.logs / "supervisord.log",
            "logfile_maxbytes": "5MB",
            "pidfile": layout.home / "supervisord.pid",
            "childlogdir": layout.tmp,
            "identifier": "linkage",
            "umask": "077",
            **({"user": "root"} if os.geteuid() == 0 else {}),
        },
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
        },
        "supervisorctl": {"serverurl": f"unix://{layout.supervisor_socket}"},
    }
    sections = [
        f"[{name}]\n" + "".join(f"{key}={_percent(str(value))}\n" for key, value in options.items())
        for name, options in head.items()
    ]
    return "\n".join([*sections, *(service.render(layout) for service in services)])


class Supervisor:
    """The running supervisor of one home."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def _rpc(self) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self._layout.supervisor_socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def alive(self) -> bool:
        """Whether it answers."""
        with suppress(Exception):
            return bool(self._rpc().getState()["statecode"] == 1)
        return False

    def states(self) -> dict[str, Mapping[str, Any]]:
        """Each service's state as the supervisor sees it; empty when it does not answer."""
        with suppress(Exception):
            return {info["name"]: info for info in self._rpc().getAllProcessInfo()}
        return {}

    def launch(self, configuration: str, environment: Mapping[str, str]) -> None:
        """Start the supervisor in a session of its own, marked as this home's."""
        write_private(self._layout.supervisor_conf, configuration)
        self._layout.supervisor_socket.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "supervisor.supervisord",
            "-c",
            str(self._layout.supervisor_conf),
        ]
        with (self._layout.logs / "supervisord.out").open("ab") as out:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=self._layout.home,
                env={**environment, MARK: str(self._layout.home)},
                start_new_session=True,
            )
        limit = time.monotonic() + PATIENCE_SECONDS
        while not self.alive():
            if child.poll() is not None or time.monotonic() > limit:
                raise DependencyUnreachable(
                    f"the supervisor did not start; see {self._layout.logs / 'supervisord.out'}"
                )
            time.sleep(0.03)

    def start(self, *names: str) -> None:
        """Start services; one that already runs is left alone."""
        for name in names:
            try:
                self._rpc().startProcess(name, False)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode != _ALREADY_STARTED:
                    raise DependencyUnreachable(f"{name} cannot be started: {fault.faultString}") from None

    def stop(self, *names: str) -> None:
        """Stop services side by side; returns when all have ended (the supervisor kills one that does not)."""
        for name in names:
            with suppress(xmlrpc.client.Fault):
                self._rpc().stopProcess(name, False)
        limit = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < limit:
            states = self.states()
            if not any(states[name]["pid"] for name in names if name in states):
                return
            time.sleep(0.03)

    def shutdown(self) -> None:
        """Stop everything, writers before the databases they write to, then the supervisor. A dead one is no error."""
        if not self.alive():
            return
        for names in (AIRFLOW, ("postgres",), ("bao", "weed")):
            self.stop(*names)
        with suppress(Exception):
            self._rpc().shutdown()

    def await_ready(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until `ready()`; raises DependencyUnreachable, naming the log, when it gives up or is too slow."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while not ready():
            state = self.states().get(name, {}).get("statename", "gone")
            if state in ("FATAL", "STOPPED", "gone") or time.monotonic() > limit:
                log = log_of(self._layout, name)
                raise DependencyUnreachable(f"{name} did not come up ({state.lower()}); see {log}")
            time.sleep(0.05)
