"""What every key service promises, tried on each of them: OpenBao, AWS KMS with imported material, PKCS#11 (N11, D7, D8)."""

from __future__ import annotations

import base64
import secrets

import pytest
from key_services import key_service  # noqa: F401  (fixture)

from linkage.custody import keys
from linkage.custody.stores import credentials
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused, LinkageError, Misuse

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("key_service")]

SECRET = secrets.token_bytes(32)


@pytest.fixture
def kek() -> str:
    """A key-encryption key of DWP's that no other test uses."""
    return f"dwp.{secrets.randbelow(10**8):08d}"


def test_what_a_store_wrapped_it_unwraps(kek: str) -> None:
    dwp = keys.service("dwp")
    wrapped = dwp.wrap(kek, SECRET, "hld_a")
    assert dwp.unwrap(kek, wrapped, "hld_a") == SECRET
    assert SECRET.hex() not in wrapped
    assert base64.b64encode(SECRET).decode() not in wrapped
    assert dwp.wrap(kek, SECRET, "hld_a") != wrapped


def test_a_sender_wraps_for_the_recipient_and_cannot_unwrap(kek: str) -> None:
    """N11, N13: the recipient opens what came; its sender cannot, nor end the recipient's key."""
    dwp, sender = keys.service("dwp"), keys.service("authority")
    dwp.make_kek(kek)
    wrapped = sender.wrap(kek, SECRET, "hld_a|key")
    for refused in (lambda: sender.unwrap(kek, wrapped, "hld_a|key"), lambda: sender.destroy_key(kek)):
        with pytest.raises(FlowRefused, match="N11"):
            refused()
    assert dwp.unwrap(kek, wrapped, "hld_a|key") == SECRET


def test_a_wrapped_key_opens_in_its_own_context_only(kek: str) -> None:
    """A data key bound to one holding does not open as another's, whoever wrapped it."""
    dwp = keys.service("dwp")
    for one in (dwp.wrap(kek, SECRET, "hld_a"), keys.service("authority").wrap(kek, SECRET, "hld_a")):
        with pytest.raises(CheckFailed):
            dwp.unwrap(kek, one, "hld_b")
        assert dwp.unwrap(kek, one, "hld_a") == SECRET


def test_the_published_half_seals_with_no_service_and_its_holder_alone_opens(kek: str, key_service: str) -> None:  # noqa: F811
    """N11, N13: between deployments; bound to its context, opened by nobody else, gone with the key (D7)."""
    dwp = keys.service("dwp")
    if key_service == "aws-kms":
        with pytest.raises(Misuse, match="OpenBao or an HSM"):
            dwp.receiving_key(kek)
        return
    dwp.make_kek(kek)
    published = dwp.receiving_key(kek)
    assert dwp.receiving_key(kek) == published, "made once"
    sealed = published.seal(kek, SECRET, "hld_a|key")
    assert published.seal(kek, SECRET, "hld_a|key") != sealed
    assert dwp.unwrap(kek, sealed, "hld_a|key") == SECRET
    assert keys.service("verifier-dwp").unwrap(kek, sealed, "hld_a|key") == SECRET
    for harmed, bound_to in (
        (sealed, "hld_b|key"),
        (sealed[:-8] + "AAAAAAA=", "hld_a|key"),
        (sealed[:40], "hld_a|key"),
        (sealed[:60] + "AAAA" + sealed[64:], "hld_a|key"),
    ):
        with pytest.raises(CheckFailed):
            dwp.unwrap(kek, harmed, bound_to)
    with pytest.raises(FlowRefused, match="N11"):
        keys.service("authority").unwrap(kek, sealed, "hld_a|key")
    dwp.destroy_key(kek)
    assert not keys.service("verifier-dwp").key_exists(kek)
    with pytest.raises(keys.KeyGone):
        dwp.unwrap(kek, sealed, "hld_a|key")


def test_what_was_wrapped_under_one_key_does_not_open_under_another(kek: str) -> None:
    dwp = keys.service("dwp")
    wrapped, other = dwp.wrap(kek, SECRET, "hld_a"), f"{kek[:-1]}x"
    dwp.wrap(other, SECRET, "hld_a")
    with pytest.raises(CheckFailed):
        dwp.unwrap(other, wrapped, "hld_a")


@pytest.mark.parametrize("harm", ["", "nonsense", "aes:AAAA", "ecdh:AAAA", "vault:v1:AAAA", "AAAA", "aes:%%%"])
def test_nonsense_does_not_open(kek: str, harm: str) -> None:
    dwp = keys.service("dwp")
    dwp.wrap(kek, SECRET, "hld_a")
    with pytest.raises(CheckFailed):
        dwp.unwrap(kek, harm, "hld_a")
    assert dwp.key_exists(kek)


def test_after_destruction_nothing_opens_and_no_key_is_left(kek: str) -> None:
    """D7, D8: at once, for the store, its verifier and what others wrapped; again and again the same answer."""
    dwp, verifier = keys.service("dwp"), keys.service("verifier-dwp")
    own = dwp.wrap(kek, SECRET, "hld_a")
    sent = keys.service("authority").wrap(kek, SECRET, "hld_b")
    assert verifier.key_exists(kek)
    assert verifier.unwrap(kek, own, "hld_a") == SECRET, "before it, the verifier's attempt would succeed"
    dwp.destroy_key(kek)
    assert not dwp.key_exists(kek)
    assert not verifier.key_exists(kek)
    for who in (dwp, verifier):
        for wrapped, bound_to in ((own, "hld_a"), (sent, "hld_b")):
            with pytest.raises(keys.KeyGone):
                who.unwrap(kek, wrapped, bound_to)
    dwp.destroy_key(kek)
    assert not verifier.key_exists(kek)


def test_destroying_what_never_was_is_no_error(kek: str) -> None:
    dwp = keys.service("dwp")
    assert not dwp.key_exists(kek)
    dwp.destroy_key(kek)
    assert not dwp.key_exists(kek)


def test_destroying_one_key_leaves_the_others(kek: str) -> None:
    dwp, kept = keys.service("dwp"), f"{kek}1"
    wrapped = dwp.wrap(kept, SECRET, "hld_a")
    dwp.wrap(kek, SECRET, "hld_a")
    dwp.destroy_key(kek)
    assert dwp.unwrap(kept, wrapped, "hld_a") == SECRET


def test_the_verifier_looks_and_cannot_wrap_or_destroy(kek: str, key_service: str) -> None:  # noqa: F811
    """D7. A token's PIN cannot be divided, so on an HSM this is a limit the documentation names."""
    if key_service == "pkcs11":
        pytest.skip("whoever has an HSM token's PIN has all of it: docs/key-services.md, Limits")
    keys.service("dwp").wrap(kek, SECRET, "hld_a")
    verifier = keys.service("verifier-dwp")
    for refused in (lambda: verifier.destroy_key(kek), lambda: verifier.wrap(kek, SECRET, "hld_a")):
        with pytest.raises(FlowRefused, match="N11"):
            refused()
    assert keys.service("dwp").key_exists(kek)


@pytest.mark.parametrize("size", [1, 4096, 4097, 200_000])
def test_a_signature_is_checked_without_the_service(size: int) -> None:
    """RFC 8032; a message longer than a key service takes is signed by its digest."""
    message = secrets.token_bytes(size)
    signature = keys.service("dwp").sign("sign-dwp", message)
    public = keys.service("moj").public_key("sign-dwp")
    assert (len(signature), len(public)) == (64, 32)
    assert keys.verify_with(public, message, signature)
    assert keys.service("moj").verify("sign-dwp", message, signature)
    assert not keys.verify_with(public, message[:-1] + bytes([message[-1] ^ 1]), signature)
    assert not keys.verify_with(keys.service("moj").public_key("sign-moj"), message, signature)


def test_nobody_signs_as_another() -> None:
    with pytest.raises(FlowRefused, match="N11"):
        keys.service("moj").sign("sign-dwp", b"m")


def test_the_linkage_root_stays_inside_and_answers_the_authority_only() -> None:
    authority, root = keys.service("authority"), f"linkage-root-trial{secrets.token_hex(4)}"
    authority.create_key(root, "hmac")
    first = authority.hmac(root, b"info")
    authority.create_key(root, "hmac")
    assert len(first) == 32
    assert authority.hmac(root, b"info") == first, "made twice, it is the same key"
    assert authority.hmac(root, b"other") != first
    with pytest.raises(LinkageError):
        keys.service("dwp").hmac(root, b"info")


def test_two_makers_of_one_key_make_one_key(kek: str) -> None:
    """A run that was killed makes the key again: what was wrapped in between still opens."""
    dwp = keys.service("dwp")
    first = dwp.wrap(kek, SECRET, "hld_a")
    dwp.make_kek(kek)
    second = dwp.wrap(kek, SECRET, "hld_a")
    assert dwp.unwrap(kek, first, "hld_a") == dwp.unwrap(kek, second, "hld_a") == SECRET


def test_no_credential_shows_in_a_representation_or_an_error(kek: str) -> None:
    told = credentials.load("dwp")
    hidden = [told.s3_secret_key, told.keys_token, told.kms_secret_key, told.pins.get("dwp")]
    with pytest.raises(LinkageError) as caught:
        keys.service("moj").unwrap(kek, keys.service("dwp").wrap(kek, SECRET, "hld_a"), "hld_a")
    shown = f"{told!r} {keys.service('dwp')!r} {caught.value!r} {caught.value.__cause__!r}"
    assert not [one for one in hidden if one and len(one) > 1 and one in shown]


def test_a_service_that_does_not_answer_is_said_so(
    kek: str,
    key_service: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit code 4, and never that a key is gone: silence is no destruction."""
    nowhere = {
        "openbao": ("LINKAGE_KEYS_URL", "http://127.0.0.1:9"),
        "aws-kms": ("LINKAGE_KMS_ENDPOINT", "http://127.0.0.1:9"),
        "pkcs11": ("LINKAGE_PKCS11_MODULE", "/nowhere/library.so"),
    }
    wrapped = keys.service("dwp").wrap(kek, SECRET, "hld_a")
    monkeypatch.setenv(*nowhere[key_service])
    for ask in (lambda: keys.service("dwp").key_exists(kek), lambda: keys.service("dwp").unwrap(kek, wrapped, "hld_a")):
        with pytest.raises(DependencyUnreachable):
            ask()
