"""The programme's linkage root as an authority uses it: inside the key service, from which it never comes out (ADR 16).

One root serves every authority of the programme, so that ONS finds a person of two authorities by tokens alone and a
department makes tokens of its register once. The programme's own authority makes it; the others may only use it, and a
deployment that cannot reach that root is refused instead of making tokens that join nobody.
"""

from __future__ import annotations

from linkage import policy
from linkage.custody import keys
from linkage.errors import DependencyUnreachable
from linkage.policy.programme import AUTHORITY
from linkage.tokens.keys import LinkageKey, recipient_key


def sub_key(recipient: str) -> LinkageKey:
    """The recipient's own key, the same whichever authority asks: one step of HKDF-Expand inside the key service.

    Raises DependencyUnreachable when the programme's own authority has not made the root yet, FlowRefused (N11) for a
    deployment that may not use it.
    """
    programme, store = policy.load(), policy.own_store()
    service, root = keys.service(store), f"linkage-root-{programme.name}"
    if store == AUTHORITY:
        service.create_key(root, "hmac")
    elif not service.key_exists(root):
        owner = programme.file.programme.authority
        raise DependencyUnreachable(f"the linkage root of {programme.name} is not here; {owner} makes it first")
    version = programme.file.programme.key_version
    return recipient_key(lambda info: service.hmac(root, info), programme.name, recipient, version)
