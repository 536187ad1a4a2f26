"""The key service: wrap for a store, unwrap one's own, destroy at once, sign. `LINKAGE_KEYS` says which one it is."""

from __future__ import annotations

import os
from functools import lru_cache

from linkage import settings
from linkage.custody.keys.protocol import KeyGone, KeyService, Kind
from linkage.custody.keys.receiving import ReceivingKey
from linkage.custody.keys.signatures import signed_bytes, verify_with

__all__ = ["KeyGone", "KeyService", "Kind", "ReceivingKey", "service", "signed_bytes", "verify_with"]


def service(principal: str) -> KeyService:
    """The deployment's key service as `principal`; kept per process and settings.

    Raises Misuse when this deployment has no credentials for it.
    """
    conf = settings.load()
    where = {
        "openbao": conf.keys_url,
        "aws-kms": f"{conf.kms_endpoint} {conf.kms_region}",
        "pkcs11": conf.pkcs11_module,
    }
    return _service(conf.keys, principal, where[conf.keys], str(conf.secrets), os.getpid())


@lru_cache(maxsize=64)
def _service(which: str, principal: str, _where: str, _secrets: str, _process: int) -> KeyService:
    if which == "aws-kms":
        from linkage.custody.keys.aws_kms import AwsKms

        return AwsKms(principal)
    if which == "pkcs11":
        from linkage.custody.keys.hsm import Hsm

        return Hsm(principal)
    from linkage.custody.keys.transit import Transit

    return Transit(principal)
