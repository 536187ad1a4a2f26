"""A whole Ceph cluster of one monitor, one manager, one OSD and one RADOS gateway, on loopback, in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("ceph", "ceph-mon", "ceph-mgr", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph-authtool")


def missing() -> list[str]:
    """Programs of Ceph that this machine does not have (Debian: ceph-mon ceph-mgr ceph-osd radosgw)."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """One cluster; every daemon runs in the foreground of a process group of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.fsid = folder, str(uuid.uuid4())
        self.mon, self.s3 = _free_port(), _free_port()
        self.conf = folder / "ceph.conf"
        self.keyring = folder / "keyring"
        self.daemons: list[subprocess.Popen[bytes]] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.s3}"

    def start(self) -> None:
        self.conf.write_text(
            f"""[global]
fsid = {self.fsid}
mon host = v1:127.0.0.1:{self.mon}
public addr = 127.0.0.1
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {self.keyring}
run dir = {self.folder}
admin socket = {self.folder}/$name.asok
log file = {self.folder}/$name.log
pid file =
crash dir = {self.folder}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon pg warn min per osd = 0
mon data avail crit = 1
mon data avail warn = 2
mon warn on pool no redundancy = false
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 2147483648
osd data = {self.folder}/osd
osd memory target = 939524096
mgr data = {self.folder}/mgr
mgr initial modules =
mon data = {self.folder}/mon
rgw data = {self.folder}/rgw
rgw gc obj min wait = 0
rgw enable apis = s3
rgw frontends = beast endpoint=127.0.0.1:{self.s3}
rgw dns name = 127.0.0.1
"""
        )
        for name in ("mon", "mgr", "osd", "rgw"):
            (self.folder / name).mkdir()
        auth = ["ceph-authtool", str(self.keyring)]
        caps = [
            "--cap",
            "mon",
            "allow *",
            "--cap",
            "osd",
            "allow *",
            "--cap",
            "mgr",
            "allow *",
            "--cap",
            "mds",
            "allow *",
        ]
        self._run([*auth, "--create-keyring", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"])
        self._run([*auth, "--gen-key", "-n", "client.admin", *caps])
        for name in ("mgr.a", "osd.0", "client.rgw"):
            self._run([*auth, "--gen-key", "-n", name, *caps[:6], *caps[6:9]])
        monmap = self.folder / "monmap"
        self._run(
            ["monmaptool", "--create", "--fsid", self.fsid, "--addv", "a", f"[v1:127.0.0.1:{self.mon}]", str(monmap)]
        )
        self._run(
            ["ceph-mon", *self._where, "-i", "a", "--mkfs", "--monmap", str(monmap), "--keyring", str(self.keyring)]
        )
        self._daemon("ceph-mon", "-i", "a")
        self._ceph("auth", "import", "-i", str(self.keyring))
        self._daemon("ceph-mgr", "-i", "a")
        osd = str(uuid.uuid4())
        assert self._ceph("osd", "new", osd).strip() == "0"
        self._run(["ceph-osd", *self._where, "-i", "0", "--mkfs", "--osd-uuid", osd])
        self._daemon("ceph-osd", "-i", "0")
        self._ceph("osd", "crush", "add", "osd.0", "1.0", "root=default", "host=here")
        self._daemon("radosgw", "-n", "client.rgw")
        limit = time.monotonic() + 240
        while not self._answers():
            assert time.monotonic() < limit, "the RADOS gateway did not come up"
            assert all(one.poll() is None for one in self.daemons), "a daemon of Ceph ended"
            time.sleep(0.5)

    def user(self, name: str, access: str, secret: str) -> None:
        """A user of the gateway with these keys."""
        words = [
            "user",
            "create",
            f"--uid={name}",
            f"--display-name={name}",
            f"--access-key={access}",
            f"--secret={secret}",
        ]
        self._run(["radosgw-admin", *self._where, "-n", "client.rgw", *words])

    def objects_in_pools(self) -> int:
        """How many RADOS objects lie in the pool that holds object data, whatever the gateway says."""
        pools = json.loads(self._ceph("df", "--format=json"))["pools"]
        return sum(one["stats"]["objects"] for one in pools if one["name"].endswith("buckets.data"))

    def collect_garbage(self) -> None:
        """RGW removes the tails of large objects later, when its collector runs."""
        self._run(["radosgw-admin", *self._where, "-n", "client.rgw", "gc", "process", "--include-all"])

    def stop(self) -> None:
        for one in reversed(self.daemons):
            if one.poll() is None:
                os.killpg(one.pid, signal.SIGKILL)
                one.wait()

    @property
    def _where(self) -> list[str]:
        return ["--conf", str(self.conf)]

    def _ceph(self, *words: str) -> str:
        return self._run(["ceph", *self._where, "--connect-timeout", "60", *words])

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, timeout=180, check=False)
        assert done.returncode == 0, (command, done.stderr[-2000:])
        return done.stdout

    def _daemon(self, *command: str) -> None:
        out = (self.folder / f"{command[0]}.out").open("ab")
        words = [*command, *self._where, "-f"]
        self.daemons.append(subprocess.Popen(words, stdout=out, stderr=out, cwd=self.folder, start_new_session=True))

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(self.endpoint, timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True


@contextmanager
def ceph() -> Iterator[Cluster]:
    """Up at first; ended and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="linkage-ceph-"))
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
