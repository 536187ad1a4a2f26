"""Who can reach what, tried for every pair on the running servers; the result must be `policy/access.toml`, cell by cell.

N3, N9, N11, N13, N14, D7: least privilege is what is refused, so most of these attempts must fail.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError

from linkage.custody.models import Base
from linkage.custody.register import Register
from linkage.custody.stores import objects
from linkage.errors import CheckFailed, FlowRefused
from linkage.feeds import FEEDS
from linkage.settings import REPOSITORY
from linkage.stack import StackAddresses, access, register_roles
from linkage.stack.principals import (
    DIRECTORY_BUCKET,
    HOLDERS,
    LANDING_BUCKET,
    OUTBOX_BUCKET,
    PARTNER_BUCKETS,
    STORES,
    WITNESS_BUCKET,
    all_principals,
    buckets_of,
    partners,
)

pytestmark = pytest.mark.servers

PEOPLE = [principal.name for principal in all_principals()]
BUCKETS = [bucket for store in STORES for bucket in buckets_of(store)]
PARTNERS = [principal.name for principal in partners()]
PREFIXES = [prefix for bucket in PARTNER_BUCKETS for prefix in access.prefixes(bucket)]
SHARED = (WITNESS_BUCKET, DIRECTORY_BUCKET)
PLACE = "isolation"


def tried(attempts: dict[tuple[str, str, str], Callable[[], object]]) -> access.Cells:
    """Make every attempt and return what was allowed. Refused is what a rule refuses; anything else is an error here."""

    def one(attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except FlowRefused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        allowed = list(pool.map(one, attempts.values()))
    cells: access.Cells = {}
    for (who, what, verb), was in zip(attempts, allowed, strict=True):
        if was:
            cells[who, what] = cells.get((who, what), frozenset()) | {verb}
    return cells


def differences(seen: access.Cells, expected: access.Cells) -> list[str]:
    """Each cell that differs, in a sentence."""
    return [
        f"{who} on {what}: the servers allow {sorted(seen.get((who, what), []))}, "
        f"the policy {sorted(expected.get((who, what), []))}"
        for who, what in sorted({*seen, *expected})
        if seen.get((who, what), frozenset()) != expected.get((who, what), frozenset())
    ]


@pytest.mark.usefixtures("stack")
def test_objects_are_reached_as_the_policy_says_and_by_nobody_else() -> None:
    """N3, N11, N13, N14: every credential x every bucket x list, read, write, delete."""
    for store in STORES:
        for bucket in buckets_of(store):
            objects.client(store).put(bucket, f"{PLACE}/there", b"x")
    for feed in FEEDS:
        objects.client(f"partner-{feed}").put(LANDING_BUCKET, f"{feed}/{PLACE}/there", b"x")
        objects.client("authority").put(OUTBOX_BUCKET, f"{feed}/{PLACE}/there", b"x")
    objects.client("witness").put(WITNESS_BUCKET, f"{PLACE}/there", b"x")
    objects.client("dwp").put(DIRECTORY_BUCKET, f"dwp/{PLACE}/there", b"x")
    attempts: dict[tuple[str, str, str], Callable[[], object]] = {}
    for who in (*PEOPLE, *PARTNERS):
        client = objects.client(who)
        for place in (*BUCKETS, *SHARED, *PREFIXES):
            bucket, _, feed = place.partition("/")
            under = f"{feed}/{PLACE}" if feed else PLACE
            there = f"dwp/{PLACE}/there" if bucket == DIRECTORY_BUCKET else f"{under}/there"
            requests_of: dict[str, Callable[..., object]] = {
                "list": lambda client, bucket, under, there: client.versions(bucket, under),
                "read": lambda client, bucket, under, there: client.get(bucket, there),
                "write": lambda client, bucket, under, there: client.put(bucket, f"{under}/{client.principal}", b"x"),
                "delete": lambda client, bucket, under, there: client._call(
                    lambda: client._client.delete_object(Bucket=bucket, Key=f"{under}/{client.principal}"), bucket
                ),
            }
            for can, request in requests_of.items():
                attempts[who, place, can] = partial(request, client, bucket, under, there)
    seen = tried(attempts)
    for store in STORES:
        for bucket in buckets_of(store):
            objects.client(store).purge(bucket, f"{PLACE}/")
    for place in PREFIXES:
        bucket, _, feed = place.partition("/")
        objects.client("authority").purge(bucket, f"{feed}/{PLACE}/")
    assert differences(seen, access.load().objects) == []
    print(f"{len(attempts)} attempts: {sum(map(len, seen.values()))} allowed, the rest refused")
    print(access.matrix(seen, [*BUCKETS, *SHARED], "credential"))


@pytest.mark.usefixtures("stack")
def test_each_store_writes_below_its_own_name_in_the_directory_and_no_verifier_anywhere() -> None:
    """N11: every credential x every store's part of the directory x write and delete."""
    for verb in ("write", "delete"):
        attempts: dict[tuple[str, str, str], Callable[[], object]] = {}
        for who in PEOPLE:
            client = objects.client(who)
            for of in STORES:
                name = f"{of}/{PLACE}/{who}"
                attempts[who, of, "write"] = (
                    (lambda client=client, name=name: client.put(DIRECTORY_BUCKET, name, b"x"))
                    if verb == "write"
                    else lambda client=client, name=name: client._call(
                        lambda: client._client.delete_object(Bucket=DIRECTORY_BUCKET, Key=name), DIRECTORY_BUCKET
                    )
                )
        assert differences(tried(attempts), access.load().directory) == [], verb
    for store in STORES:
        objects.client(store).purge(DIRECTORY_BUCKET, f"{store}/{PLACE}/")


@pytest.fixture
def bao(stack: StackAddresses) -> Callable[..., object]:
    """A raw request to OpenBao as a principal; FlowRefused when it is forbidden."""
    secrets = Path(stack.home) / "secrets"
    tokens = {who: json.loads((secrets / f"{who}.json").read_text())["keys_token"] for who in PEOPLE}

    def ask(who: str, verb: str, path: str, **body: Any) -> Any:
        answer = requests.request(
            verb, f"{stack.keys_url}/v1/{path}", headers={"X-Vault-Token": tokens[who]}, json=body or None, timeout=30
        )
        if answer.status_code == 403:
            raise FlowRefused("N11", "forbidden")
        assert answer.status_code < 300, answer.status_code
        return answer.json() if answer.content and "json" in answer.headers.get("Content-Type", "") else None

    return ask


def test_keys_are_reached_as_the_policy_says_and_by_nobody_else(bao) -> None:
    """N3, N10, N11, N13, N14, D7: every credential x every store's keys x each use; every signing key, root, snapshots."""
    plain = base64.b64encode(b"k" * 32).decode()
    attempts: dict[tuple[str, str, str], Callable[[], object]] = {}
    for store in STORES:
        sealed = bao(store, "POST", f"transit/encrypt/{store}.isolation", plaintext=plain)["data"]["ciphertext"]
        for who in PEOPLE:
            key, mine = f"{store}.isolation", f"{store}.isolation-{who}"
            bao(store, "POST", f"transit/encrypt/{mine}", plaintext=plain)
            requests_of = {
                "wrap": ("POST", f"transit/encrypt/{key}", {"plaintext": plain}),
                "unwrap": ("POST", f"transit/decrypt/{key}", {"ciphertext": sealed}),
                "look": ("GET", f"transit/keys/{key}", {}),
                "destroy": ("POST", f"transit/keys/{mine}/config", {"deletion_allowed": True}),
            }
            for can, (verb, path, body) in requests_of.items():
                attempts[who, store, can] = lambda who=who, verb=verb, path=path, body=body: bao(
                    who, verb, path, **body
                )
    seen = tried(attempts)
    told = access.load()
    assert differences(seen, told.keys) == []
    for store in STORES:
        for who in PEOPLE:
            if "destroy" not in seen.get((who, store), ()):
                with pytest.raises(FlowRefused):
                    bao(who, "DELETE", f"transit/keys/{store}.isolation-{who}")
            else:
                bao(who, "DELETE", f"transit/keys/{store}.isolation-{who}")
    signs = {
        (who, f"sign-{whose}", "sign"): lambda who=who, whose=whose: bao(
            who, "POST", f"transit/sign/sign-{whose}", input=plain
        )
        for who in PEOPLE
        for whose in PEOPLE
    }
    assert differences(tried(signs), told.signs) == []
    bao("authority", "POST", "transit/keys/linkage-root-isolation", type="hmac", key_size=32)
    root = {
        (who, "linkage root", "use"): lambda who=who: bao(
            who, "POST", "transit/hmac/linkage-root-isolation", input=plain
        )
        for who in PEOPLE
    }
    assert differences(tried(root), told.linkage_root) == []
    snapshots = {
        (who, "key service", "take"): lambda who=who: bao(who, "GET", "sys/storage/raft/snapshot") for who in PEOPLE
    }
    assert differences(tried(snapshots), told.snapshots) == []
    print(f"{len(attempts) + len(signs) + len(root) + len(snapshots)} attempts")
    print(access.matrix(seen, STORES, "credential"))


def test_nobody_takes_a_key_out_or_changes_its_own_rights(bao) -> None:
    """N11: no export, no backup, no restore, no policy, no token of another, no other engine."""
    bao("authority", "POST", "transit/keys/linkage-root-isolation", type="hmac", key_size=32)
    for who in PEOPLE:
        for verb, path in (
            ("GET", "transit/export/hmac-key/linkage-root-isolation"),
            ("GET", "transit/backup/dwp.isolation"),
            ("POST", "transit/restore"),
            ("GET", f"sys/policies/acl/{who}"),
            ("POST", f"sys/policies/acl/{who}"),
            ("POST", "sys/mounts/other"),
            ("POST", "auth/token/create-orphan"),
            ("POST", "sys/storage/raft/snapshot"),
            ("PUT", "sys/seal"),
        ):
            with pytest.raises(FlowRefused):
                bao(who, verb, path)


@pytest.fixture
def shared(stack: StackAddresses) -> Iterator[tuple[Engine, Callable[[str], str]]]:
    """A register of its own with the holders' roles: its owner's engine, and the URL by which a holder reaches it."""
    name = f"t{uuid.uuid4().hex[:12]}"
    plain = create_engine(stack.register_url, hide_parameters=True)
    with plain.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    passwords = json.loads((Path(stack.home) / "secrets" / "stack.json").read_text())

    def url(role: str) -> str:
        secret = {} if role == "linkage" else {"username": role, "password": passwords[f"{role}_password"]}
        made = make_url(stack.register_url).set(**secret).update_query_dict({"options": f"-csearch_path={name}"})
        return made.render_as_string(hide_password=False)

    owner = Register.open(url("linkage")).engine
    register_roles.apply(owner, name)
    yield owner, lambda holder: url(register_roles.role_of(holder))
    owner.dispose()
    with plain.begin() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
    plain.dispose()


def _fill(owner: Engine) -> None:
    """A holding of every store, with everything that hangs on it."""
    now = datetime.now(UTC)
    with owner.begin() as connection:
        # These rows came about in no real way: the guards would ask how.
        connection.execute(text("ALTER TABLE certificates DISABLE TRIGGER USER"))
        for store in STORES:
            told = {"id": f"hld_{store}", "store": store, "holder": store.split("-")[0], "now": now, "x": f"x{store}"}
            connection.execute(
                text(
                    "INSERT INTO holdings (id, store, holder, dataset_class, programme, natural_key, received_at, legal,"
                    " target, rule, reclassified, bucket, prefix, parts, bytes, state, simulated, created_at, places)"
                    " VALUES (:id, :store, :holder, 'c', 'p', :x, :now, :now, :now, 'r', false, 'b', 'p', 0, 0, 'held',"
                    " false, :now, 'primary')"
                ),
                told,
            )
            for statement in (
                "INSERT INTO holding_parents (child_id, parent_id) VALUES (:id, 'hld_elsewhere')",
                "INSERT INTO destruction_steps (holding_id, step, at, detail) VALUES (:id, 'intent', :now, '{}')",
                "INSERT INTO certificates (id, holding_id, issued_at, document, sha256, simulated)"
                " VALUES ('crt' || :id, :id, :now, '', '', false)",
                "INSERT INTO incidents (at, kind, store, subject, detail) VALUES (:now, 'k', :store, :id, '')",
                "INSERT INTO key_encryption_keys (name, store) VALUES (:store || '.1', :store)",
                "INSERT INTO sent_transfers (transfer, store, recipient, flow_id, dataset_class, programme, manifests,"
                " first_sent_at, sent_at) VALUES ('trf' || :id, :store, 'mhclg', 'f', 'c', 'p', '[]', :now, :now)",
            ):
                connection.execute(text(statement), told)
        connection.execute(text("ALTER TABLE certificates ENABLE TRIGGER USER"))


_OWNERS = {
    "holdings": "SELECT DISTINCT holder FROM holdings",
    "holding_parents": "SELECT DISTINCT split_part(substr(child_id, 5), '-', 1) FROM holding_parents",
    "destruction_steps": "SELECT DISTINCT split_part(substr(holding_id, 5), '-', 1) FROM destruction_steps",
    "certificates": "SELECT DISTINCT split_part(substr(holding_id, 5), '-', 1) FROM certificates",
    "incidents": "SELECT DISTINCT split_part(store, '-', 1) FROM incidents",
    "sent_transfers": "SELECT DISTINCT split_part(store, '-', 1) FROM sent_transfers",
}


def test_each_holder_sees_its_own_rows_of_the_register(shared) -> None:
    """N3: every database role x every table of the register."""
    owner, url = shared
    _fill(owner)
    assert set(_OWNERS) == set(register_roles.OWN)
    assert {*register_roles.OWN, *register_roles.SHARED} == set(Base.metadata.tables), "a table nobody decided about"
    for table, query in _OWNERS.items():
        seen: access.Cells = {}
        for holder in HOLDERS:
            engine = create_engine(url(holder))
            with engine.connect() as connection:
                for of in connection.scalars(text(query)):
                    seen[holder, of] = frozenset({"see"})
            engine.dispose()
        assert differences(seen, access.load().register) == [], table


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE holdings SET state = 'destroyed' WHERE id = 'hld_dwp'",
        "UPDATE incidents SET detail = 'x' WHERE subject = 'hld_dwp'",
        "UPDATE certificates SET document = 'x' WHERE holding_id = 'hld_dwp'",
    ],
)
def test_no_holder_changes_anothers_rows(shared, statement: str) -> None:
    """N3, D4: what is not seen is not changed either."""
    owner, url = shared
    _fill(owner)
    engine = create_engine(url("moj"))
    with engine.begin() as connection:
        assert connection.execute(text(statement)).rowcount == 0
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM holdings",
        "DELETE FROM ledger_entries",
        "DROP TABLE holdings",
        "ALTER TABLE holdings DISABLE ROW LEVEL SECURITY",
        "TRUNCATE ledger_entries",
        "SET ROLE linkage",
        "UPDATE key_encryption_keys SET destroyed_at = now() WHERE name = 'dwp.1'",
        "INSERT INTO destruction_steps (holding_id, step, at, detail) VALUES ('hld_dwp', 'verified', now(), '{}')",
        "UPDATE holdings SET holder = 'dwp', store = 'dwp' WHERE id = 'hld_moj'",
    ],
)
def test_no_holder_undoes_the_registers_rules(shared, statement: str) -> None:
    """N3, D4, D7, D11: nothing is deleted, no rule is switched off, no key of another is called destroyed."""
    owner, url = shared
    _fill(owner)
    engine = create_engine(url("moj"))
    with pytest.raises(DBAPIError), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_a_source_at_another_holder_still_sets_the_deadline(shared) -> None:
    """D4: the guard sees what the role does not."""
    owner, url = shared
    _fill(owner)
    with owner.begin() as connection:
        connection.execute(
            text(
                "UPDATE holdings SET target = target - interval '2 day', legal = legal - interval '1 day'"
                " WHERE id = 'hld_authority'"
            )
        )
    engine = create_engine(url("dwp"))
    with pytest.raises(DBAPIError, match="D4"), engine.begin() as connection:
        connection.execute(
            text("INSERT INTO holding_parents (child_id, parent_id) VALUES ('hld_dwp', 'hld_authority')")
        )
    engine.dispose()


def test_a_holder_sends_receives_and_destroys_under_its_own_role(real_house, shared, monkeypatch) -> None:
    """N3: the whole way of a transfer, each holder with the register as its own role sees it."""
    from linkage.custody import transfers
    from linkage.custody.destruction import sweep
    from linkage.custody.transfers import sealing
    from linkage.custody.vault import Vault

    _, url = shared
    real_house.at(datetime(2022, 10, 3).date())

    def work_as(holder: str) -> None:
        monkeypatch.setenv("LINKAGE_REGISTER_URL", url(holder))
        monkeypatch.setenv("LINKAGE_SITE", holder)

    work_as("authority")
    pack = real_house.put(dataset_class="submission_pack", data=b"pack")
    import polars as pl

    frame = pl.DataFrame({"identity_ref": ["a"], "linker_ref": ["b"]})
    sealing.send(
        frame,
        sender="authority",
        recipient="ons-linker",
        dataset_class="crosswalk",
        programme=pack.programme,
        natural_key="k",
        parents=[pack],
    )
    work_as("ons")
    [received] = transfers.receive("ons-linker")
    assert Vault("ons-linker").read_frame(received.id).equals(frame)
    assert [one.id for one in Register.open().find(state=None)] == [received.id], "the authority's rows are not seen"
    real_house.at(received.target.date())
    report = sweep.sweep(stores=["ons-linker"])
    assert report.ok, report.lines
    assert Register.open().certificate(received.id) is not None
    work_as("authority")
    assert [one.id for one in Register.open().find(state=None)] == [pack.id]
    assert Register.open().certificates() == []


def test_the_readable_tables_are_those_of_the_policy() -> None:
    """docs/access.md is made, not written."""
    assert (REPOSITORY / "docs" / "access.md").read_text(encoding="utf-8") == access.markdown()


def test_the_matrix_names_only_what_there_is() -> None:
    told = access.load()
    assert {who for who, _ in (*told.keys, *told.signs)} == set(PEOPLE)
    assert {who for who, _ in told.objects} == {*PEOPLE, *PARTNERS}
    assert {what for _, what in told.objects} == {*BUCKETS, *SHARED, *PREFIXES}
    assert {what for _, what in told.keys} == set(STORES)


@pytest.mark.usefixtures("stack")
def test_a_verifier_that_may_try_a_key_has_nothing_to_try_it_on() -> None:
    """D7: it may unwrap and may not read; the two together would be reading."""
    told = access.load()
    for who, store in told.keys:
        if who.startswith("verifier-"):
            readable = {bucket for bucket in buckets_of(store) if "read" in told.objects.get((who, bucket), ())}
            assert not readable
            with pytest.raises((CheckFailed, FlowRefused)):
                objects.client(who).get(buckets_of(store)[0], "any")
