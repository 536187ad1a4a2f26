"""Write `.env` (mode 600) with every secret docker-compose.yaml asks for, made at random: `python deploy/make_env.py`.

Standard library only, so that it runs before anything is installed. Refuses to touch a file that is already there.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

_HEX = (
    "POSTGRES_PASSWORD",
    "LINKAGE_REGISTER_PASSWORD",
    "AIRFLOW_DB_PASSWORD",
    "WEED_ADMIN_ACCESS_KEY",
    "WEED_ADMIN_SECRET_KEY",
    "WEED_JWT_SIGNING_KEY",
    "WEED_JWT_SIGNING_READ_KEY",
    "WEED_JWT_FILER_SIGNING_KEY",
    "WEED_JWT_FILER_SIGNING_READ_KEY",
    "AIRFLOW_UI_PASSWORD_ENGINEER",
    "AIRFLOW_UI_PASSWORD_GOVERNANCE",
    "AIRFLOW_UI_PASSWORD_APPROVER",
)


def make() -> dict[str, str]:
    """Variable names and fresh random values."""
    values = {name: secrets.token_hex(24) for name in _HEX}
    # RFC 7518 3.2: a key for HS512 has at least 64 bytes.
    values |= {name: secrets.token_hex(48) for name in ("AIRFLOW_API_SECRET_KEY", "AIRFLOW_JWT_SECRET")}
    values["AIRFLOW_FERNET_KEY"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    # OpenBao's static seal takes 32 bytes.
    values["BAO_SEAL_KEY"] = secrets.token_hex(32)
    return values


def main(file: Path) -> None:
    """Write the file, or leave with a sentence when it exists."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SystemExit(f"{file} exists; its secrets are in use and stay") from None
    with os.fdopen(descriptor, "w") as out:
        out.writelines(f"{name}={value}\n" for name, value in make().items())


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".env"))
