"""Receiving keys without any key service: what is sealed opens for its own key and context, and for nothing else (N11, N13)."""

from __future__ import annotations

import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.custody.keys import ReceivingKey, receiving
from linkage.errors import CheckFailed

PAIR = ec.generate_private_key(ec.SECP256R1())
POINT = PAIR.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
RECEIVER = ReceivingKey("p256-ecdh", bytes(receiving.ID_BYTES) + POINT)
KEK = "dwp.20221031"


def opened(sealed: str, bound_to: str, kek: str = KEK) -> bytes:
    """As a token does it: the agreement there, the rest here."""
    raw = receiving.decoded(kek, sealed.partition(":")[2])[receiving.ID_BYTES :]
    theirs, body = raw[: receiving.POINT_BYTES], raw[receiving.POINT_BYTES :]
    shared = PAIR.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
    return receiving.open_with(receiving.agreed_key(shared, kek, theirs), body, bound_to)


@given(secret=st.binary(max_size=200), bound_to=st.text(max_size=60))
@settings(max_examples=40)
def test_what_is_sealed_opens_in_its_context(secret: bytes, bound_to: str) -> None:
    assert opened(RECEIVER.seal(KEK, secret, bound_to), bound_to) == secret


@given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
@settings(max_examples=40)
def test_one_bit_changed_and_it_does_not_open(place: int, bit: int) -> None:
    how, _, text = RECEIVER.seal(KEK, b"k" * 32, "hld_a").partition(":")
    raw = bytearray(receiving.decoded(KEK, text))
    raw[receiving.ID_BYTES + place % (len(raw) - receiving.ID_BYTES)] ^= 1 << bit
    with pytest.raises((CheckFailed, ValueError)):  # ValueError: the point is not on the curve any more
        opened(receiving.encoded(how, bytes(raw)), "hld_a")


def test_it_opens_under_no_other_holding_and_no_other_date() -> None:
    """D7: a sealed key cannot be moved to a key that lives longer."""
    sealed = RECEIVER.seal(KEK, b"k" * 32, "hld_a")
    for bound_to, kek in (("hld_b", KEK), ("hld_a", "dwp.20991231")):
        with pytest.raises(CheckFailed):
            opened(sealed, bound_to, kek)


def test_an_rsa_key_seals_any_length_and_short_keys_are_refused() -> None:
    def public(bits: int) -> bytes:
        made = rsa.generate_private_key(65537, bits).public_key()
        return made.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    sealed = ReceivingKey("rsa-oaep-sha256", public(receiving.RSA_BITS)).seal(KEK, secrets.token_bytes(500), "hld_a")
    assert sealed.startswith("rsa:")
    with pytest.raises(CheckFailed, match="not one that can be sealed for"):
        ReceivingKey("rsa-oaep-sha256", public(2048)).seal(KEK, b"k", "hld_a")


@pytest.mark.parametrize("harm", [b"", b"x" * 81, b"\x30\x03\x02\x01\x01"])
@pytest.mark.parametrize("kind", ["rsa-oaep-sha256", "p256-ecdh"])
def test_what_is_no_receiving_key_is_not_sealed_for(kind, harm: bytes) -> None:
    with pytest.raises(CheckFailed, match="not one that can be sealed for"):
        ReceivingKey(kind, harm).seal(KEK, b"k" * 32, "hld_a")
