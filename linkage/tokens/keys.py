"""Linkage keys: HKDF sub-keys per recipient and match-key; the root may stay inside a key service (RFC 5869)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from linkage.errors import DependencyUnreachable, Misuse
from linkage.tokens.rules import Kind

LENGTH: Final = 32
# 32 random bytes hold 30 different values on average; fewer than 20 happens once in some 10^8 draws.
_DIFFERENT: Final = 20
# The root behind linkage/tokens/token_vectors.json: everybody has it, so a file that holds it or its child is no key.
PUBLISHED_ROOT: Final = bytes.fromhex("d3a07c1e94f25b6840e9137db8562fca0f81e4963b5ad72cc6487f10a92e53bd")
PUBLISHED_FOR: Final = ("token-vectors", "dwp", 1)  # programme, recipient, version
_MARKS: Final = (b"test", b"secret", b"default", b"changeme", b"password", b"example")


class LinkageKey:
    """32 bytes from which the match-keys' HMAC keys are derived. It cannot be printed, copied, pickled or compared.

    Raises Misuse for anything that was not drawn at random: empty, short, long, text, repeated or counting bytes.
    """

    __slots__ = ("__bytes",)

    def __init__(self, material: bytes) -> None:
        _require_random(material)
        self.__bytes = bytes(material)

    @classmethod
    def throwaway(cls) -> LinkageKey:
        """A fresh random key that nobody keeps: for linking two files in one place."""
        return cls(secrets.token_bytes(LENGTH))

    @classmethod
    def from_file(cls, path: Path) -> LinkageKey:
        """The key in a file of 64 hexadecimal characters that only its owner may read. Raises Misuse."""
        try:
            mode = path.stat().st_mode
            if mode & 0o077:
                raise Misuse("the key file may be read by others: set its mode to 600")
            key = cls(bytes.fromhex(path.read_text(encoding="ascii").strip()))
        except OSError:
            raise Misuse("the key file cannot be read") from None
        except ValueError:
            raise Misuse("the key file does not hold 64 hexadecimal characters") from None
        if key.__bytes in (PUBLISHED_ROOT, published_key().__bytes):
            raise Misuse("this is the key of the published test vectors: everybody has it")
        return key

    def write(self, path: Path) -> None:
        """Hand the key over in a new file that only its owner may read. Raises Misuse when the file exists."""
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            raise Misuse("the key file exists already") from None
        path.write_text(self.__bytes.hex() + "\n", encoding="ascii")

    def to_seal(self) -> bytes:
        """The 32 bytes, for one purpose: to be sealed at once for the recipient they were derived for."""
        return self.__bytes

    def match_key(self, kind: Kind, name: str, version: int) -> str:
        """The HMAC key of one match-key as 64 hexadecimal characters: HKDF-Expand, info = kind|match-key|version.

        The characters themselves are the HMAC key, as any HMAC-SHA-256 implementation can take them.
        """
        info = _info(kind, "match-key", name, str(version))
        return expand(lambda message: hmac.digest(self.__bytes, message, "sha256"), info).hex()

    def __repr__(self) -> str:
        return "LinkageKey(<redacted>)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a linkage key is never serialised")

    def __copy__(self) -> NoReturn:
        raise TypeError("a linkage key is never copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise TypeError("a linkage key is never copied")


def expand(prk_hmac: Callable[[bytes], bytes], info: bytes) -> bytes:
    """HKDF-Expand for one block of 32 bytes (RFC 5869, 2.3): T(1) = HMAC(PRK, info | 0x01).

    `prk_hmac` computes HMAC-SHA-256 under the pseudo-random key, so that the key itself can stay in a key service.
    Raises DependencyUnreachable when what comes back is not 32 bytes.
    """
    block = prk_hmac(info + b"\x01")
    if len(block) != LENGTH:
        raise DependencyUnreachable("the key service did not return an HMAC-SHA-256 of 32 bytes")
    return block


def recipient_key(prk_hmac: Callable[[bytes], bytes], programme: str, recipient: str, version: int = 1) -> LinkageKey:
    """The one key a recipient is given: HKDF-Expand, info = programme|recipient|version. Tokens of two do not join."""
    return LinkageKey(expand(prk_hmac, _info(programme, recipient, str(version))))


def published_key() -> LinkageKey:
    """The key of the published test vectors."""
    return recipient_key(lambda info: hmac.digest(PUBLISHED_ROOT, info, "sha256"), *PUBLISHED_FOR)


def _info(*parts: str) -> bytes:
    if any(not part or "|" in part for part in parts):
        raise Misuse("programme, recipient and match-key names are not empty and hold no '|'")
    return "|".join(parts).encode()


def _require_random(material: bytes) -> None:
    if not isinstance(material, bytes | bytearray) or len(material) != LENGTH:
        raise Misuse(f"a linkage key is exactly {LENGTH} bytes")
    steps = {(after - before) % 256 for before, after in zip(material, material[1:], strict=False)}
    text = all(32 <= byte < 127 for byte in material)
    marked = any(mark in bytes(material).lower() for mark in _MARKS)
    if len(set(material)) < _DIFFERENT or len(steps) < _DIFFERENT // 2 or text or marked:
        raise Misuse("this linkage key was not drawn at random: make one with secrets.token_bytes(32)")
