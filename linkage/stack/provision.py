"""What the containers need done that the embedded stack does for itself, as two steps: `prepare` and `provision`.

`prepare` writes credentials and configuration before the servers start; `provision` makes databases, buckets, keys and
policies once they answer. Both are idempotent and use the same tables as the embedded stack.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from linkage.errors import DependencyUnreachable, Misuse
from linkage.stack import bao, postgres, weed
from linkage.stack.secrets import Secrets, write_private

# Secrets the containers are given from outside: variable to its name in `stack.json`.
GIVEN: dict[str, str] = {
    "POSTGRES_PASSWORD": "postgres_password",
    "LINKAGE_REGISTER_PASSWORD": "register_password",
    "AIRFLOW_DB_PASSWORD": "airflow_db_password",
    "WEED_ADMIN_ACCESS_KEY": "weed_admin_access_key",
    "WEED_ADMIN_SECRET_KEY": "weed_admin_secret_key",
    "BAO_SEAL_KEY": "bao_seal_key",
}
_PATIENCE_SECONDS = 180.0


def prepare(home: Path) -> None:
    """Credential files of every principal, `weed/s3.json` and `bao/bao.json` below `home`."""
    secrets = Secrets(home)
    secrets.remember(**{name: os.environ[variable] for variable, name in GIVEN.items()})
    write_private(home / "weed" / "s3.json", json.dumps(weed.identities(secrets), indent=1))
    seal = secrets.stack["bao_seal_key"]
    bao.write_config(home / "bao", "0.0.0.0:8200", "127.0.0.1:8201", seal, name="openbao:8200")  # noqa: S104


def provision(home: Path) -> None:
    """Databases, roles, buckets, signing keys, policies, tokens. Raises DependencyUnreachable after three minutes."""
    secrets = Secrets(home)
    told = secrets.stack
    host, s3, keys = os.environ["POSTGRES_HOST"], os.environ["LINKAGE_S3_ENDPOINT"], os.environ["LINKAGE_KEYS_URL"]
    _await("PostgreSQL", lambda: postgres.answers(host, 5432, told["postgres_password"]))
    postgres.bootstrap(host, 5432, told["postgres_password"], postgres.role_passwords(told))
    _await("SeaweedFS", lambda: weed.answers(s3))
    weed.bootstrap(s3, secrets)
    _await("OpenBao", lambda: bao.health(keys) in (200, 501))
    if bao.health(keys) == 501:
        bao.initialise(keys, secrets)
    _await("OpenBao", lambda: bao.health(keys) == 200)
    bao.bootstrap(keys, secrets)


def _await(name: str, ready: Callable[[], bool]) -> None:
    limit = time.monotonic() + _PATIENCE_SECONDS
    while not ready():
        if time.monotonic() > limit:
            raise DependencyUnreachable(f"{name} did not come up")
        time.sleep(0.5)


def main(arguments: list[str]) -> None:
    """Run the step named on the command line in `LINKAGE_HOME`."""
    steps = {"prepare": prepare, "provision": provision}
    if len(arguments) != 1 or arguments[0] not in steps:
        raise Misuse("say prepare or provision")
    steps[arguments[0]](Path(os.environ["LINKAGE_HOME"]))


if __name__ == "__main__":
    main(sys.argv[1:])
