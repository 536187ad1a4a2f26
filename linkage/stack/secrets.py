"""Secrets of the embedded stack: made at first start, kept in `<home>/secrets` in files of mode 600, never printed."""

from __future__ import annotations

import base64
import json
import os
import secrets as random_source
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linkage.errors import Misuse
from linkage.stack.principals import HOLDERS, holder_of
from linkage.stack.register_roles import role_names
from linkage.stack.site import Site

UI_USERS: tuple[str, ...] = ("engineer", "governance", "approver")


def _text() -> str:
    return random_source.token_hex(24)


def _long() -> str:
    # RFC 7518 3.2: a key for HS512 has at least 64 bytes.
    return random_source.token_hex(48)


def _key32() -> str:
    return base64.urlsafe_b64encode(random_source.token_bytes(32)).decode()


_MAKERS: dict[str, Callable[[], str]] = {
    "postgres_password": _text,
    "register_password": _text,
    "airflow_db_password": _text,
    **{f"{role}_password": _text for role in role_names()},
    "fernet_key": _key32,
    "api_secret_key": _long,
    "jwt_secret": _long,
    "weed_volume_jwt": _text,
    "weed_volume_read_jwt": _text,
    "weed_filer_jwt": _text,
    "weed_filer_read_jwt": _text,
    "weed_admin_access_key": _text,
    "weed_admin_secret_key": _text,
    # OpenBao's static seal takes exactly 32 bytes, given here as hex.
    "bao_seal_key": lambda: random_source.token_hex(32),
    **{f"password_{user}": lambda: random_source.token_urlsafe(18) for user in UI_USERS},
}


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` in one step, mode 600 from its first byte; a kill leaves the old file or the new one."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


class Secrets:
    """`<home>/secrets`: `stack.json` for the services, one `<principal>.json` per credential of the site (N3).

    Where the exchange lies here, `<home>/exchange/<organisation>.json` are the others' credentials for it, to be handed over.
    """

    def __init__(self, home: Path, site: Site | None = None) -> None:
        self.site = site or Site.of(home)
        self.invitations = home / "exchange"
        self.folder = home / "secrets"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.stack: dict[str, str] = self._read("stack")
        missing = {name: make() for name, make in _MAKERS.items() if name not in self.stack}
        if missing:
            self.remember(**missing)
        for principal in (*self.site.own, *self.site.partners):
            told = self.of(principal.name)
            if "s3_access_key" not in told:
                self.keep(principal.name, s3_access_key=_text(), s3_secret_key=_text())

    def guests(self) -> dict[str, dict[str, str]]:
        """Access and secret key of every guest of the exchange here, made at first sight."""
        told: dict[str, dict[str, str]] = self._read("guests")
        missing = {one.name: {"access": _text(), "secret": _text()} for one in self.site.guests if one.name not in told}
        if missing:
            told |= missing
            write_private(self.folder / "guests.json", json.dumps(told, indent=1))
        return told

    def invite(self, endpoint: str) -> None:
        """Write the file that each other organisation is handed, with its own credentials for the exchange and no others."""
        guests = self.guests()
        if not guests:
            return
        self.invitations.mkdir(mode=0o700, exist_ok=True)
        for holder in (one for one in HOLDERS if one != self.site.name):
            mine = {name: pair for name, pair in guests.items() if holder_of(name.removeprefix("verifier-")) == holder}
            told = {"organisation": holder, "endpoint": endpoint, "principals": mine}
            write_private(self.invitations / f"{holder}.json", json.dumps(told, indent=1))

    def join(self, invitation: Path) -> None:
        """Take the credentials of an exchange that another organisation hosts. Raises Misuse for somebody else's file."""
        try:
            told = json.loads(invitation.read_text())
            organisation, endpoint, pairs = told["organisation"], str(told["endpoint"]), told["principals"]
            taken = {one.name: pairs[one.name] for one in self.site.own if one.owns or one.verifies}
            known = {name: (str(pair["access"]), str(pair["secret"])) for name, pair in taken.items()}
        except (OSError, ValueError, KeyError, TypeError):
            raise Misuse(f"{invitation.name} is no invitation to an exchange for '{self.site.name}'") from None
        if organisation != self.site.name:
            raise Misuse(f"{invitation.name} is an invitation for '{organisation}', and this is '{self.site.name}'")
        for name, (access, secret) in known.items():
            self.keep(name, exchange_access_key=access, exchange_secret_key=secret)
        self.remember(exchange_endpoint=endpoint)

    def remember(self, **values: str) -> None:
        """Add to `stack.json`."""
        self.stack |= values
        write_private(self.folder / "stack.json", json.dumps(self.stack, indent=1))

    def of(self, principal: str) -> dict[str, Any]:
        """A principal's `principal, s3_access_key, s3_secret_key` and, after bootstrap, `keys_token`."""
        return self._read(principal)

    def keep(self, principal: str, **values: str) -> None:
        """Add to a principal's file."""
        told = {"principal": principal, **self.of(principal), **values}
        write_private(self.folder / f"{principal}.json", json.dumps(told, indent=1))

    def _read(self, name: str) -> dict[str, Any]:
        file = self.folder / f"{name}.json"
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return found
