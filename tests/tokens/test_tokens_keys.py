"""Linkage keys: derivation against RFC 5869 and an independent implementation, and what a key refuses to do."""

from __future__ import annotations

import copy
import hmac
import json
import pickle
import secrets

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from linkage.errors import DependencyUnreachable, Misuse
from linkage.tokens.keys import LinkageKey, expand, recipient_key

ROOT = bytes.fromhex("9f1c7ae3550b42d86e01fb37c499a85d13e6f02a7b84cd5921b0e86f34dda971")


def service(root: bytes = ROOT):
    """A key service that computes HMACs and never hands out the key."""
    return lambda message: hmac.digest(root, message, "sha256")


def test_expand_gives_the_first_block_of_the_rfc_5869_vectors():
    """Test cases 1 and 3: the pseudo-random key is given, so this is the expand step alone."""
    for prk, info, okm in (
        (
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        ),
        (
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
        ),
    ):
        assert expand(service(bytes.fromhex(prk)), bytes.fromhex(info)).hex() == okm


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=60))
def test_expand_agrees_with_an_independent_implementation(prk, info):
    assert expand(service(prk), info) == HKDFExpand(SHA256(), 32, info).derive(prk)


def test_a_recipient_key_is_bound_to_programme_recipient_and_version_and_a_match_key_to_kind_and_name():
    expected = HKDFExpand(SHA256(), 32, b"early_years|dwp|1").derive(ROOT)
    match_key = HKDFExpand(SHA256(), 32, b"compound|match-key|nino-dob|2").derive(expected)
    key = recipient_key(service(), "early_years", "dwp")
    assert key.match_key("compound", "nino-dob", 2) == match_key.hex()


def test_every_part_of_the_derivation_makes_another_key():
    made = {
        recipient_key(service(), programme, recipient, version).match_key(kind, name, 1)
        for programme in ("p", "q")
        for recipient in ("dwp", "moj")
        for version in (1, 2)
        for kind in ("compound", "field")
        for name in ("a", "b")
    }
    assert len(made) == 32


def test_a_separator_in_a_name_is_refused_so_that_no_two_derivations_meet():
    with pytest.raises(Misuse):
        recipient_key(service(), "p|q", "dwp")
    with pytest.raises(Misuse):
        recipient_key(service(), "p", "")


@pytest.mark.parametrize(
    "weak",
    [
        b"",
        b"short",
        bytes(32),
        b"\xff" * 32,
        bytes(range(32)),
        bytes(range(0, 256, 8)),
        b"correct horse battery staple 123",
        b"0123456789abcdef0123456789abcdef",
        bytes.fromhex("9f1c7ae3550b42d8") * 4,
        ROOT + b"\x01",
        ROOT[:8] + b"changeme" + ROOT[16:],
    ],
    ids=range(11),
)
def test_default_empty_short_and_low_entropy_keys_are_refused(weak):
    with pytest.raises(Misuse) as refusal:
        LinkageKey(weak)
    assert weak.hex() not in str(refusal.value) or not weak


def test_keys_drawn_at_random_are_accepted():
    made = [LinkageKey(secrets.token_bytes(32)) for _ in range(2_000)]
    assert len(made) == 2_000


def test_a_key_cannot_be_printed_pickled_copied_or_serialised():
    key = LinkageKey(ROOT)
    shown = repr(key) + str(key) + f"{key}" + repr([key])
    assert ROOT.hex() not in shown
    assert "redacted" in shown
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            attempt(key)
    assert not hasattr(key, "__dict__")


def test_a_key_service_that_answers_something_else_is_not_believed():
    with pytest.raises(DependencyUnreachable):
        expand(lambda message: b"", b"info")


def test_a_key_file_is_for_its_owner_alone(tmp_path):
    key, path = LinkageKey(ROOT), tmp_path / "key"
    key.write(path)
    assert path.stat().st_mode & 0o077 == 0
    assert LinkageKey.from_file(path).match_key("field", "a", 1) == key.match_key("field", "a", 1)
    with pytest.raises(Misuse, match="exists"):
        key.write(path)
    path.chmod(0o644)
    with pytest.raises(Misuse, match="600"):
        LinkageKey.from_file(path)


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "\u00e9"])
def test_a_key_file_that_holds_anything_else_is_refused_without_showing_it(tmp_path, text):
    path = tmp_path / "key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(Misuse) as refusal:
        LinkageKey.from_file(path)
    assert not text or text not in str(refusal.value)


def test_two_throwaway_keys_differ():
    assert LinkageKey.throwaway().match_key("field", "a", 1) != LinkageKey.throwaway().match_key("field", "a", 1)
