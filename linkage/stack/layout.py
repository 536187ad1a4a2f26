"""Where everything of one embedded stack lies: folders, files and the short path its sockets need."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from linkage.errors import LinkageError

# sockaddr_un holds 108 bytes, the last of them zero.
SOCKET_PATH_LIMIT = 107
MARK = "LINKAGE_STACK"


@dataclass(frozen=True)
class Layout:
    """The folders of one home. `home` is absolute and resolved."""

    home: Path

    @classmethod
    def of(cls, home: Path | str) -> Layout:
        """The layout of `home`, which need not exist yet."""
        return cls(Path(home).expanduser().resolve())

    def make(self) -> Layout:
        """Create the folders. The home is private to its owner: it holds keys and personal data (N11)."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o700)
        for folder in (self.logs, self.tmp, self.weed, self.bao, self.airflow, self.sockets):
            folder.mkdir(parents=True, exist_ok=True)
        return self

    @property
    def logs(self) -> Path:
        """One log file per service."""
        return self.home / "logs"

    @property
    def tmp(self) -> Path:
        """TMPDIR of every service, so that nothing personal lands in the machine's /tmp."""
        return self.home / "tmp"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data folder."""
        return self.home / "postgres"

    @property
    def weed(self) -> Path:
        """SeaweedFS's data folder."""
        return self.home / "weed"

    @property
    def bao(self) -> Path:
        """OpenBao's raft folder and configuration."""
        return self.home / "bao"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.home / "airflow"

    @property
    def stack_env(self) -> Path:
        """What `linkage.settings` reads."""
        return self.home / "stack.env"

    @property
    def airflow_env(self) -> Path:
        """Airflow's settings and secrets, mode 600."""
        return self.home / "airflow.env"

    @property
    def supervisor_conf(self) -> Path:
        """The supervisor's configuration."""
        return self.home / "supervisord.conf"

    @property
    def sockets(self) -> Path:
        """Folder of Unix sockets: under home, or in a private folder in /tmp where home lies too deep."""
        near = self.home / "run"
        if len(os.fsencode(near / "supervisor.sock.999999999")) <= SOCKET_PATH_LIMIT:
            return near
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        far = Path(tempfile.gettempdir()) / f"linkage-{os.getuid()}-{digest}"
        if len(os.fsencode(far / "supervisor.sock.999999999")) > SOCKET_PATH_LIMIT:
            far = Path("/tmp") / far.name  # noqa: S108  (TMPDIR itself may be too deep)
        if not far.exists():
            far.mkdir(mode=0o700, exist_ok=True)
        owner = far.lstat()
        if far.is_symlink() or owner.st_uid != os.getuid() or owner.st_mode & 0o077:
            raise LinkageError(f"{far} is not a private folder of this user; remove it")
        return far

    @property
    def supervisor_socket(self) -> Path:
        """The supervisor's control socket."""
        return self.sockets / "supervisor.sock"
