"""Sealed transfers: allowed, signed, unaltered, in time, once (N3, N13, N14, N17, D2, D3, D4)."""

from __future__ import annotations

import json
from datetime import date, timedelta

import polars as pl
import pytest

from linkage import clock
from linkage.custody import transfers
from linkage.custody.evidence import ledger
from linkage.custody.stores import objects
from linkage.custody.transfers.sealing import manifest_name, prefix
from linkage.custody.vault import Vault
from linkage.errors import FlowRefused

PROGRAMME = "troubled_families_2015_2020"
REQUEST = pl.DataFrame({"request_ref": ["q1"], "match_key": ["k"], "person_token": [b"t" * 16]})


def send(**other):
    told = {
        "sender": "authority",
        "recipient": "dwp",
        "dataset_class": "department_request",
        "programme": PROGRAMME,
        "wave": "2022-autumn",
        "natural_key": "request/2022-autumn",
    }
    return transfers.send(other.pop("content", REQUEST), **{**told, **other})


def direct(**other):
    frame = pl.DataFrame({"linker_ref": ["l1"], "match_key": ["k"], "person_token": [b"t" * 16]})
    return send(content=frame, recipient="ons-linker", dataset_class="compound_tokens", **other)


def test_a_request_reaches_its_department_by_the_relay_and_only_there(house) -> None:
    sent = send(secrets={"linkage": b"k" * 32})
    assert transfers.receive("dwp") == []
    assert transfers.relay() == [sent.id]
    [held] = transfers.receive("dwp")
    assert held.id == sent.holding_id
    assert Vault("dwp").read_frame(held.id).equals(REQUEST)
    assert transfers.secrets_of(held.id) == {"linkage": b"k" * 32}
    assert (held.rule, held.rows, held.flow_id) == ("one_month", None, "dwp_request")
    assert objects.client("dwp").versions("dwp-inbox") == []


def test_the_relay_keeps_nothing_and_proves_it(house) -> None:
    send()
    transfers.relay()
    assert objects.client("ons-relay").versions("ons-relay-inbox") == []
    [copy] = house.register.find("ons-relay", state="destroyed")
    document = json.loads(json.loads(house.register.certificate(copy.id).document)["certificate"])
    assert document["key"]["state"] == "never held"


def test_the_sender_cannot_open_what_it_sealed(house) -> None:
    """N13."""
    direct()
    [held] = transfers.receive("ons-linker")
    from linkage.custody import keys

    with pytest.raises(FlowRefused, match="N11"):
        keys.service("authority").unwrap(held.kek, held.wrapped_dek, held.id)


@pytest.mark.parametrize(
    ("rule", "other"),
    [
        ("N3", {"content": REQUEST.with_columns(forename=pl.lit("x"))}),
        ("N3", {"content": b"who knows what"}),
        ("N17", {"recipient": "mhclg"}),
        ("N17", {"via": "ons-linker"}),
        ("N14", {"sender": "ons-research", "recipient": "authority"}),
    ],
)
def test_what_the_policy_does_not_allow_does_not_leave(house, rule: str, other: dict) -> None:
    """N3, N14, N17."""
    with pytest.raises(FlowRefused, match=rule):
        send(**other)
    assert objects.client("ons-relay").versions("ons-relay-inbox") == []


def test_nothing_is_sent_after_the_programme_closed(house) -> None:
    """D3."""
    house.at(date(2022, 12, 1), 0)
    with pytest.raises(FlowRefused, match="D3"):
        direct()


def test_a_transfer_sent_twice_is_taken_once(house) -> None:
    """D2."""
    direct()
    [first] = transfers.receive("ons-linker")
    house.at(date(2022, 10, 20))
    direct()
    assert transfers.receive("ons-linker") == []
    assert objects.client("ons-linker").versions("ons-linker-inbox") == []
    assert house.register.get(first.id) == first


def test_the_month_starts_with_the_first_copy_even_if_only_the_second_is_opened(house) -> None:
    """D2."""
    sent = send()
    transfers.relay()
    house.at(date(2022, 10, 6))
    send()
    transfers.relay()
    [held] = transfers.receive("dwp")
    assert held.received_at == sent.sent_at
    assert held.kek == "dwp.20221031"
    assert Vault("dwp").read_frame(held.id).equals(REQUEST)


def test_the_recipients_copy_inherits_the_senders_deadline(house) -> None:
    """D4."""
    source = house.put()
    direct(parents=[source])
    [held] = transfers.receive("ons-linker")
    assert held.legal == source.legal
    assert house.register.parents(held.id) == [source.id]


def _inbox_object(store: str, ending: str) -> tuple[str, bytes]:
    inbox = objects.client(store)
    [key] = {one.key for one in inbox.versions(f"{store}-inbox") if one.key.endswith(ending)}
    return key, inbox.get(f"{store}-inbox", key)


def test_an_altered_part_is_refused_and_the_others_go_on(house) -> None:
    direct(natural_key="a")
    key, body = _inbox_object("ons-linker", "part-00001")
    objects.client("ons-linker").put("ons-linker-inbox", key, body[:-1] + b"!")
    good = direct(natural_key="b")
    assert [one.id for one in transfers.receive("ons-linker")] == [good.holding_id]
    [incident] = house.register.incidents()
    assert (incident.kind, "altered" in incident.detail) == ("transfer_refused", True)
    assert objects.client("ons-linker").versions("ons-linker-inbox") == []


def test_what_was_altered_on_the_way_can_be_sent_again(house) -> None:
    direct()
    key, body = _inbox_object("ons-linker", "part-00001")
    objects.client("ons-linker").put("ons-linker-inbox", key, body[:-1] + b"!")
    transfers.receive("ons-linker")
    again = direct()
    assert [one.id for one in transfers.receive("ons-linker")] == [again.holding_id]


@pytest.mark.parametrize("field", ["wave", "kek", "sent_at", "columns"])
def test_a_manifest_nobody_signed_is_refused(house, field: str) -> None:
    direct()
    key, body = _inbox_object("ons-linker", "manifest.json")
    outer = json.loads(body)
    told = json.loads(outer["manifest"])
    told[field] = {"wave": "other", "kek": "ons-linker.20991231", "sent_at": "2022-10-04T00:00:00+00:00"}.get(field, [])
    outer["manifest"] = json.dumps(told, sort_keys=True, separators=(",", ":"))
    objects.client("ons-linker").purge("ons-linker-inbox", key)
    objects.client("ons-linker").put("ons-linker-inbox", key, json.dumps(outer).encode())
    assert transfers.receive("ons-linker") == []
    assert "not signed by its sender" in house.register.incidents()[0].detail


def test_rubbish_in_an_inbox_is_an_incident_not_a_crash(house) -> None:
    name = "trf_" + "0" * 32
    objects.client("ons-linker").put("ons-linker-inbox", manifest_name(name), b"{]")
    assert transfers.receive("ons-linker") == []
    assert len(house.register.incidents()) == 1
    assert objects.client("ons-linker").versions("ons-linker-inbox", prefix(name)) == []


def test_a_transfer_that_arrives_after_its_deadline_is_refused(house) -> None:
    """N10: a month is a month, also on the road."""
    send()
    transfers.relay()
    house.at(date(2022, 11, 4))
    assert transfers.receive("dwp") == []
    assert "D4" in house.register.incidents()[0].detail


def test_a_transfer_from_the_future_is_refused(house) -> None:
    house.at(date(2022, 10, 9))
    direct()
    house.at(date(2022, 10, 3))
    assert transfers.receive("ons-linker") == []
    assert "future" in house.register.incidents()[0].detail


def test_a_transfer_without_its_manifest_is_not_there_yet(house) -> None:
    direct()
    key, _ = _inbox_object("ons-linker", "manifest.json")
    objects.client("ons-linker").purge("ons-linker-inbox", key)
    assert transfers.receive("ons-linker") == []
    assert house.register.incidents() == []


def test_the_ledger_tells_flow_and_basis_but_no_count_of_persons(house) -> None:
    """N17, D10."""
    send()
    with house.register.transaction() as session:
        [sent] = [json.loads(leaf)["facts"] for leaf in ledger.leaves(session) if '"sent"' in leaf]
    assert sent["flow"] == "dwp_request"
    assert "Digital Economy Act" in sent["lawful_basis"]
    assert "rows" not in sent


def test_the_key_is_that_of_the_recipients_own_date(house) -> None:
    send()
    transfers.relay()
    [held] = transfers.receive("dwp")
    assert held.kek == f"dwp.{held.target.astimezone(clock.LONDON):%Y%m%d}"
    assert held.target - held.received_at < timedelta(days=28, hours=2)
