"""An HSM by PKCS#11, with SoftHSM: what the token itself keeps in, and runs that are killed or forked (N11, D7)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from key_services import in_force
from softhsm import LIBRARY, needs_softhsm

from linkage.custody import keys
from linkage.custody.keys import hsm

pytestmark = [pytest.mark.servers, needs_softhsm]

KEK = "dwp.20221031"


@pytest.fixture
def dwp(stack, monkeypatch, tmp_path):
    """DWP's key service at its own token, with one key in use; taken away afterwards, for the tokens stay."""
    with in_force("pkcs11", monkeypatch, tmp_path):
        service = keys.service("dwp")
        service.make_kek(KEK)
        yield service
        service.destroy_key(KEK)


def test_without_the_pin_only_public_halves_are_seen(dwp) -> None:
    """N11: tried by another process, for a login counts for a whole process."""
    program = f"""
import pkcs11
token = pkcs11.lib({str(LIBRARY)!r}).get_token(token_label="dwp")
with token.open() as session:
    print(sorted({{one.object_class.name for one in session.get_objects()}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['PUBLIC_KEY']"


def test_no_secret_half_can_be_taken_from_the_token(dwp) -> None:
    """N11: not even with its PIN."""
    from pkcs11 import Attribute, ObjectClass, PKCS11Error

    with dwp._session(KEK) as session:
        for part, secret in ((ObjectClass.SECRET_KEY, Attribute.VALUE), (ObjectClass.PRIVATE_KEY, Attribute.VALUE)):
            [found] = hsm._objects(session, KEK, part)
            assert (found[Attribute.EXTRACTABLE], found[Attribute.SENSITIVE]) == (False, True)
            with pytest.raises(PKCS11Error):
                found[secret]


@pytest.mark.parametrize("left", ["PUBLIC_KEY", "PRIVATE_KEY"])
def test_a_destruction_that_died_half_way_is_completed(dwp, left: str) -> None:
    """D7: while any half is there the key counts as existing, and a second run takes the rest."""
    from pkcs11 import ObjectClass

    order = [ObjectClass.SECRET_KEY, ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY]
    with dwp._session(KEK, write=True) as session:
        for part in order[: order.index(ObjectClass[left])]:
            for found in hsm._objects(session, KEK, part):
                found.destroy()
    assert dwp.key_exists(KEK)
    assert keys.service("verifier-dwp").key_exists(KEK)
    dwp.destroy_key(KEK)
    assert not dwp.key_exists(KEK)


def test_a_forked_child_reaches_its_token(dwp) -> None:
    """Airflow forks for each task: the library has to be initialised anew there."""
    wrapped = dwp.wrap(KEK, b"k" * 32, "hld_a")
    child = os.fork()
    if child == 0:
        try:
            opened = keys.service("dwp").unwrap(KEK, wrapped, "hld_a") == b"k" * 32
        except BaseException:  # noqa: BLE001  (a child of a test must end here, whatever happens)
            opened = False
        os._exit(0 if opened else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert dwp.unwrap(KEK, wrapped, "hld_a") == b"k" * 32
