"""Snapshots of the key service: who took which, which keys are inside, and when the file is gone (D7).

A snapshot together with the seal key would bring a destroyed key back. So one lives no longer than the policy's
`snapshot_days` and never beyond the destruction date of any key inside it; it is written for a recovery certificate whose
private key is kept elsewhere; and the ledger knows it from before the file exists, so that certificates can name it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from linkage import clock, policy, settings
from linkage.clock import LONDON
from linkage.custody.evidence import ledger
from linkage.custody.register import Register
from linkage.custody.stores import credentials
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused, Misuse

OPERATOR = "key-operator"
TAKEN, GONE = "key_snapshot", "key_snapshot_gone"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot as the ledger knows it; `gone_at` is when its file was removed."""

    id: str
    by: str
    taken_at: datetime
    expires_at: datetime
    sha256: str
    keys: tuple[str, ...]
    gone_at: datetime | None

    def told(self) -> str:
        """One English clause for a certificate."""
        until = (
            f"removed {self.gone_at:%Y-%m-%d %H:%M}" if self.gone_at else f"to be gone {self.expires_at:%Y-%m-%d %H:%M}"
        )
        return f"{self.id}, taken {self.taken_at:%Y-%m-%d %H:%M} by {self.by}, {until} UTC"


def take(certificate: bytes, by: str) -> Snapshot:
    """Take a snapshot of OpenBao, sealed for the recovery certificate (PEM, RSA; CMS, AES-256): `openssl cms -decrypt`.

    Raises FlowRefused (D7) when the policy allows none or keys are due that a sweep must destroy first, Misuse for a key
    service that has other backups or a certificate that is none, DependencyUnreachable.
    """
    if settings.load().keys != "openbao":
        raise Misuse("only OpenBao makes snapshots; back up an HSM by its own means, and AWS KMS keeps no copy")
    now, register = clock.now(), Register.open()
    expires, before = _expiry(register, now)
    sealed = _sealed(_raft(), certificate)
    inside = sorted(before | {key.name for key in register.keys(destroyed=False)})
    name = f"snp_{secrets.token_hex(8)}"
    facts = {
        "snapshot": name,
        "by": by,
        "taken_at": now.isoformat(),
        "expires_at": expires.isoformat(),
        "sha256": hashlib.sha256(sealed).hexdigest(),
        "keys": inside,
    }
    ledger.record(TAKEN, facts, once=f"snapshot|{name}")
    _write(_file(name), sealed)
    return Snapshot(name, by, now, expires, str(facts["sha256"]), tuple(inside), None)


def known() -> list[Snapshot]:
    """Every snapshot ever taken, oldest first."""
    gone = {str(facts["snapshot"]): datetime.fromisoformat(facts["gone_at"]) for facts in ledger.facts(GONE)}
    return [_read(facts, gone) for facts in ledger.facts(TAKEN)]


def expire(horizon: datetime | None = None) -> list[str]:
    """Remove the files of snapshots whose time is over before `horizon` (default: now); returns their ids.

    A sweep asks with its own horizon before it destroys keys: those that go today are then in no snapshot any more. A
    file that cannot be removed stays listed as late.
    """
    moment, removed = horizon or clock.now(), []
    for one in known():
        if one.gone_at is not None or one.expires_at > moment:
            continue
        try:
            _file(one.id).unlink(missing_ok=True)
        except OSError:
            continue
        facts = {"snapshot": one.id, "gone_at": clock.now().isoformat()}
        ledger.record(GONE, facts, once=f"snapshot_gone|{one.id}")
        removed.append(one.id)
    return removed


def snapshots_covering(kek: str) -> list[str]:
    """The snapshots that held a key-encryption key, each as one English clause; for its certificates (D9)."""
    return [one.told() for one in known() if kek in one.keys]


def _expiry(register: Register, now: datetime) -> tuple[datetime, set[str]]:
    """When a snapshot taken now must be gone, and the keys that live now."""
    days = policy.load().sweep.snapshot_days
    if not days:
        raise FlowRefused("D7", "the programme file allows no snapshots of the key service ([sweep] snapshot_days)")
    living = register.keys(destroyed=False)
    due = min((key.due_on for key in living if key.due_on is not None), default=None)
    expires = now + timedelta(days=days)
    if due is not None:
        if due <= now.astimezone(LONDON).date():
            raise FlowRefused("D7", "keys are due today: let the sweep destroy them before a snapshot keeps them")
        expires = min(expires, clock.at(due, 0))
    return expires, {key.name for key in living}


def _raft() -> bytes:
    """The server's raft snapshot, in memory: it is never on disk as it comes."""
    import hvac
    import requests

    url, token = settings.load().keys_url, credentials.load(OPERATOR).keys_token
    try:
        with hvac.Client(url=url, token=token, timeout=60).sys.take_raft_snapshot() as answer:
            if answer.status_code != 200:
                raise CheckFailed(f"the key service gave no snapshot (status {answer.status_code})")
            return bytes(answer.content)
    except hvac.exceptions.Forbidden:
        raise FlowRefused("N11", f"'{OPERATOR}' has no right to take snapshots") from None
    except (hvac.exceptions.VaultError, requests.RequestException):
        raise DependencyUnreachable("the key service cannot be reached; no snapshot was taken") from None


def _sealed(raw: bytes, certificate: bytes) -> bytes:
    """Enveloped for the certificate's holder alone (RFC 5652)."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.ciphers.algorithms import AES256
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

    try:
        recipient = x509.load_pem_x509_certificate(certificate)
        envelope = pkcs7.PKCS7EnvelopeBuilder().set_data(raw).add_recipient(recipient)
        envelope = envelope.set_content_encryption_algorithm(AES256)
        return envelope.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Misuse("the recovery certificate must be an X.509 certificate (PEM) with an RSA key") from None


def _file(name: str) -> Path:
    return settings.load().home / "snapshots" / f"{name}.p7m"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _read(facts: dict[str, Any], gone: dict[str, datetime]) -> Snapshot:
    return Snapshot(
        id=facts["snapshot"],
        by=facts["by"],
        taken_at=datetime.fromisoformat(facts["taken_at"]),
        expires_at=datetime.fromisoformat(facts["expires_at"]),
        sha256=facts["sha256"],
        keys=tuple(facts["keys"]),
        gone_at=gone.get(facts["snapshot"]),
    )
