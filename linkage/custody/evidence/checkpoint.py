"""A checkpoint: the witness's signature over the ledger's tree head at one moment (D11). Needs no service to check."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from linkage.custody import keys
from linkage.errors import CheckFailed, Misuse

_FIELDS = {"origin": str, "size": int, "root": str, "at": str, "signature": str, "public_key": str}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed tree head: `size` leaves have the head `root`; `signature` is the witness key's, over `signed()`."""

    origin: str
    size: int
    root: str
    at: str
    signature: str
    public_key: str

    @classmethod
    def of(cls, told: Any) -> Checkpoint:
        """From plain JSON, exactly these fields and types. Raises CheckFailed."""
        right = isinstance(told, Mapping) and set(told) == set(_FIELDS)
        if not right or any(type(told[name]) is not kind for name, kind in _FIELDS.items()):
            raise CheckFailed("D11: this is not a checkpoint")
        return cls(**told)

    def told(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    def signed(self) -> bytes:
        """The bytes under the signature."""
        return f"{self.origin}\n{self.size}\n{self.root}\n{self.at}\n".encode()

    def holds(self, public_key: bytes | None = None) -> bool:
        """Whether the signature is genuine, by the given raw Ed25519 key, or else by the one it carries.

        With a key given, the one it carries must be the same: nothing in a checkpoint can be changed unseen.
        """
        try:
            carried, signature = _strictly(self.public_key), _strictly(self.signature)
        except ValueError:
            return False
        return public_key in (None, carried) and keys.verify_with(carried, self.signed(), signature)

    def require_genuine(self, public_key: bytes | None = None) -> Checkpoint:
        """Itself. Raises CheckFailed when the signature is not the witness's."""
        if not self.holds(public_key):
            raise CheckFailed("D11: the checkpoint's signature is not the witness's")
        return self


def read(file: Path) -> Checkpoint:
    """The checkpoint in a file, as the witness keeps it. Raises Misuse, CheckFailed."""
    try:
        return Checkpoint.of(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise Misuse(f"no such file: {file.name}") from None
    except (ValueError, CheckFailed):
        raise CheckFailed(f"D11: {file.name} is not a checkpoint") from None


def _strictly(told: str) -> bytes:
    """Base64 that has one spelling only: unused bits and stray characters are not let through."""
    try:
        raw = base64.b64decode(told, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    if base64.b64encode(raw).decode() != told:
        raise ValueError("not the one spelling of this base64")
    return raw
