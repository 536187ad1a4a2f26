"""Who may touch which store, read from the one table the credentials are made from."""

from __future__ import annotations

import json

import pytest

from linkage.stack import bao, weed
from linkage.stack.principals import (
    HOLDERS,
    PARTNER_BUCKETS,
    SENDS,
    STORES,
    Principal,
    all_principals,
    buckets_of,
    holder_of,
    inbox_bucket,
    partners,
)
from linkage.stack.site import Site

BY_NAME = {principal.name: principal for principal in all_principals()}


def allowed(name: str) -> set[tuple[str, str]]:
    """(action, resource) pairs of a principal's S3 policy."""
    statements = weed.policy_of(BY_NAME[name])["Statement"]
    return {(action, arn.split(":::")[1]) for s in statements for action in s["Action"] for arn in s["Resource"]}


def key_rights(name: str) -> dict[str, list[str]]:
    """Path to capabilities of a principal's key policy."""
    return {path: rule["capabilities"] for path, rule in json.loads(bao.policy_of(BY_NAME[name]))["path"].items()}


def test_nothing_leads_back_to_the_authority() -> None:
    """N14: no store delivers to an authority or wraps a key for it; nor does one authority for another."""
    authorities = [store for store in STORES if holder_of(store) == "authority"]
    assert len(authorities) == 2
    assert not [store for store in STORES if set(authorities) & set(SENDS[store])]
    for principal in all_principals():
        for other in set(authorities) - {principal.name}:
            reached = {resource.split("/")[0] for action, resource in allowed(principal.name) if "Put" in action}
            assert not reached & set(buckets_of(other))
            assert f"transit/encrypt/{other}.*" not in key_rights(principal.name)


def test_the_identity_custodian_sends_to_nobody() -> None:
    """N13: identifiers end at the custodian."""
    assert SENDS["ons-identity"] == ()


@pytest.mark.parametrize("store", STORES)
def test_a_store_reads_only_its_own_buckets_and_what_is_public(store: str) -> None:
    """N3: of all objects, a store may read its own two buckets', what is public, the authority what partners leave."""
    read = {resource.split("/")[0] for action, resource in allowed(store) if action == "s3:GetObject"}
    lands = PARTNER_BUCKETS if store == "authority" else ()
    assert read == {*buckets_of(store), *lands, "ledger-witness", "directory"}


@pytest.mark.parametrize("store", STORES)
def test_a_store_writes_below_its_own_name_in_the_directory(store: str) -> None:
    """N11: nobody publishes a key or a receipt as another."""
    written = {resource for action, resource in allowed(store) if resource.startswith("directory") and "Put" in action}
    assert written == {f"directory/{store}/*"}


@pytest.mark.parametrize("store", STORES)
def test_a_guest_of_the_exchange_reaches_no_vault_and_no_witness(store: str) -> None:
    """N11, N13: what a hosting organisation hands out opens the exchange and nothing else of its home."""
    told = weed.exchange_policy_of(BY_NAME[store])["Statement"]
    buckets = {arn.split(":::")[1].split("/")[0] for statement in told for arn in statement["Resource"]}
    assert buckets == {inbox_bucket(store), "directory", *(inbox_bucket(one) for one in SENDS[store])}


@pytest.mark.parametrize("site", HOLDERS)
def test_a_sites_home_has_its_own_credentials_and_no_others(site: str) -> None:
    """N3, N11: separate deployments; the host of the exchange makes the others' keys for it, and for nothing else."""
    host, guest = Site(site), Site(site, "http://exchange.test")
    for home in (host, guest):
        assert {one.name for one in home.own} == {
            *(store for store in STORES if holder_of(store) == site),
            f"verifier-{site}",
            "witness",
            "key-operator",
        }
    assert guest.guests == ()
    assert {one.name for one in host.guests} == set(BY_NAME) - {one.name for one in host.own}
    assert all(bucket.startswith(site) and not bucket.endswith("-inbox") for bucket in guest.buckets)
    assert bool(guest.partners) == (site == "authority"), "partners deliver at the authority and nowhere else"


@pytest.mark.parametrize("store", STORES)
def test_a_sender_may_only_add_to_an_inbox(store: str) -> None:
    """N13: not read, not list, not delete, not even its own transfer."""
    for recipient in SENDS[store]:
        on_inbox = {action for action, resource in allowed(store) if resource.startswith(inbox_bucket(recipient))}
        assert on_inbox == {"s3:PutObject"}
        assert f"transit/decrypt/{recipient}.*" not in key_rights(store)


@pytest.mark.parametrize("partner", partners(), ids=lambda one: one.name)
def test_a_partner_adds_to_its_own_prefix_and_fetches_its_own_answer(partner: Principal) -> None:
    """N3: it lists nothing, removes nothing, and the key service does not know it."""
    statements = weed.policy_of(partner)["Statement"]
    assert {(action, arn.split(":::")[1]) for s in statements for action in s["Action"] for arn in s["Resource"]} == {
        ("s3:PutObject", f"authority-landing/{partner.delivers}/*"),
        ("s3:GetObject", f"authority-outbox/{partner.delivers}/*"),
    }
    assert partner.name not in BY_NAME


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_verifier_looks_and_never_touches(holder: str) -> None:
    """D7: verification happens under a credential that can neither read nor destroy an object, nor change a key."""
    name = f"verifier-{holder}"
    own = {pair for pair in allowed(name) if not pair[1].startswith(("ledger-witness", "directory"))}
    assert {action.split(":")[1][:4] for action, _ in own} == {"List", "GetB"}
    assert {holder_of(resource.rsplit("-", 1)[0]) for _, resource in own} == {holder}
    assert not [path for path, can in key_rights(name).items() if "delete" in can or path.startswith("transit/encrypt")]


def test_only_authorities_reach_the_linkage_root_key_and_one_of_them_makes_it() -> None:
    """N13: the linkage root key answers to the authorities, never to ONS or a department, and nobody may export any key."""
    holders = [name for name in BY_NAME if any("linkage-root" in path for path in key_rights(name))]
    assert holders == ["authority", "authority-southwark"]
    assert key_rights("authority-southwark")["transit/keys/linkage-root-*"] == ["read"]
    assert "create" in key_rights("authority")["transit/keys/linkage-root-*"]
    assert not [name for name in BY_NAME if any("export" in path or "backup" in path for path in key_rights(name))]
