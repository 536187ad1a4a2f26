"""Transfers between deployments that share nothing but the exchange: sealed, verified and answered without each other's keys.

N11, N13, N14, N17, D2. Each site has its own key service, vaults and register; doubles here, so that many schedules of
disturbances run in seconds. `tests/evaluation/test_evaluation_sites.py` does the same with a whole wave on real servers.
"""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from custody_doubles import Keys, Objects, World, unsafe_but_quick
from disturbed import HARMS, Network
from sqlalchemy import event

from linkage import clock, policy
from linkage.custody import keys, transfers
from linkage.custody.destruction import sweep
from linkage.custody.keys.prepare import prepare
from linkage.custody.models import Holding
from linkage.custody.register import Register
from linkage.custody.stores import objects
from linkage.custody.transfers import acknowledgement, directory, receipts, trust
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused, Misuse
from linkage.stack.principals import all_principals, holder_of

PROGRAMME = "troubled_families_2015_2020"
SITES = ("authority", "ons", "dwp")
MONDAY = date(2022, 10, 3)
REQUEST = pl.DataFrame({"request_ref": ["q1"], "match_key": ["k"], "person_token": [b"t" * 16]})
FILE = pl.DataFrame({"identity_ref": ["i1"], "linker_ref": ["l1"]})


@dataclass
class Sites:
    """Three deployments at 2022-10-03 09:00, each with a world of its own, and the exchange."""

    top: Path
    worlds: dict[str, World]
    exchange: World

    @contextmanager
    def at(self, site: str) -> Iterator[Register]:
        """Be that deployment for a while."""
        home = self.top / site
        with pytest.MonkeyPatch.context() as here:
            here.setenv("LINKAGE_HOME", str(home))
            here.setenv("LINKAGE_SITE", site)
            here.setenv("LINKAGE_REGISTER_URL", f"sqlite:///{home}/register.sqlite")
            yield Register.open()

    def clock(self, moment) -> None:
        for site in SITES:
            with self.at(site):
                clock.set_simulated(moment)

    def keys(self, principal: str) -> Keys:
        self._known(principal)
        return self.worlds[os.environ["LINKAGE_SITE"]].keys(principal)

    def objects(self, principal: str, place: str = "primary") -> Objects:
        if place == objects.EXCHANGE:
            self._known(principal)
            return self.exchange.objects(principal)
        self._known(principal)
        return self.worlds[os.environ["LINKAGE_SITE"]].objects(principal)

    def _known(self, principal: str) -> None:
        """A deployment has its own credentials and nobody else's."""
        if principal not in ("witness", *OWN[os.environ["LINKAGE_SITE"]]):
            raise Misuse(f"this deployment holds no credentials for '{principal}'")

    def incidents(self, site: str) -> list[str]:
        with self.at(site) as register:
            return [one.kind for one in register.incidents()]


OWN = {
    site: {
        principal.name
        for principal in all_principals()
        if site in {holder_of(store) for store in (*principal.owns, *principal.verifies)}
    }
    for site in SITES
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, empty_register: Path) -> Sites:
    """Sites that know each other and have published receiving keys for two days, as each test finds them."""
    top = tmp_path_factory.mktemp("sites") / "now"
    made = Sites(top, {site: World() for site in SITES}, World())
    with pytest.MonkeyPatch.context() as patch:
        _settle(made, patch)
        for site in SITES:
            (top / site).mkdir(parents=True)
            shutil.copy(empty_register, top / site / "register.sqlite")
            clock.mark_sandbox(top / site)
        made.clock(clock.at(MONDAY, 9))
        cards = []
        for site in SITES:
            with made.at(site) as register:
                event.listen(register.engine, "connect", unsafe_but_quick)
                cards += [line for line in trust.card().splitlines() if not line.startswith("[")]
        (top / "trust.toml").write_text("\n".join(["[signing]", *cards]))
        for site in SITES:
            with made.at(site) as register:
                prepare(days=2)
                register.engine.dispose()
    top.rename(top.with_name("kept"))
    return made


@pytest.fixture
def sites(prepared: Sites, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sites]:
    """In one folder for all tests, put back before each: SQLAlchemy compiles its statements once for each engine."""
    shutil.copytree(prepared.top.with_name("kept"), prepared.top)
    made = Sites(
        prepared.top, {site: world.copy() for site, world in prepared.worlds.items()}, prepared.exchange.copy()
    )
    _settle(made, monkeypatch)
    yield made
    for site in SITES:
        with made.at(site) as register:
            register.engine.dispose()
    shutil.rmtree(prepared.top)


def _settle(made: Sites, patch: pytest.MonkeyPatch) -> None:
    """This process in front of these sites, and of nothing else."""
    for name in [name for name in os.environ if name.startswith("LINKAGE_")]:
        patch.delenv(name)
    patch.setenv("LINKAGE_CLOCK", "sandbox")
    patch.setenv("LINKAGE_EXCHANGE_ENDPOINT", "http://exchange.test")
    patch.setenv("LINKAGE_TRUST_FILE", str(made.top / "trust.toml"))
    patch.setattr(keys, "service", made.keys)
    patch.setattr(objects, "client", made.objects)


def request(**other):
    told = {
        "sender": "authority",
        "recipient": "dwp",
        "dataset_class": "department_request",
        "programme": PROGRAMME,
        "wave": "2022-autumn",
        "natural_key": "request",
    }
    return transfers.send(other.pop("content", REQUEST), **{**told, **other})


def crosswalk(**other):
    return request(content=FILE, recipient="ons-linker", dataset_class="crosswalk", **other)


def test_a_request_is_sealed_relayed_and_opened_without_anybody_elses_key_service(sites: Sites) -> None:
    """N13: the sender reaches no key of the recipient, and the recipient asks nobody who signed."""
    with sites.at("authority"):
        sent = request(secrets={"linkage": b"k" * 32})
        with pytest.raises(Misuse):
            keys.service("dwp")
    with sites.at("ons"):
        assert transfers.relay() == [sent.id]
    with sites.at("dwp"):
        [held] = transfers.receive("dwp")
        assert Vault("dwp").read_frame(held.id).equals(REQUEST)
        assert transfers.secrets_of(held.id) == {"linkage": b"k" * 32}
        assert held.kek == "dwp.20221031"
    assert {name for site in ("authority", "ons") for name in sites.worlds[site].keks} == set()
    assert not any(name.startswith("dwp") for name in sites.worlds["authority"].pairs)


def test_the_sender_finds_receipts_and_nothing_else_comes_back(sites: Sites) -> None:
    """N14, D10: passed on, then accepted; the receipt holds no count and nothing of the content."""
    with sites.at("authority"):
        sent = request()
        [waiting] = acknowledgement.look()
        assert waiting.state == "sent"
    with sites.at("ons"):
        transfers.relay()
    with sites.at("authority"):
        [waiting] = acknowledgement.look()
        assert waiting.state == "forwarded"
    with sites.at("dwp"):
        transfers.receive("dwp")
    with sites.at("authority") as register:
        [done] = acknowledgement.look()
        assert (done.state, done.times, done.transfer) == ("acknowledged", 1, sent.id)
        assert acknowledgement.look() == []
        assert register.incidents() == []
    assert sites.exchange.buckets.get("authority-inbox", []) == []
    [name] = [
        one.version.key for one in sites.exchange.buckets["directory"] if one.version.key.startswith("dwp/receipts")
    ]
    with sites.at("authority"):
        told = json.loads(json.loads(objects.exchange("authority").get("directory", name))["entry"])
    assert set(told) == {"store", "name", "at", "simulated", "transfer", "manifest", "answer", "reason"}


def test_the_same_month_whoever_sends_again(sites: Sites) -> None:
    """D2: an unacknowledged request is sent again; the first copy's month counts, and the second receipt is given too."""
    with sites.at("authority"):
        sent = request()
    with sites.at("ons"):
        transfers.relay()
    with sites.at("dwp"):
        [held] = transfers.receive("dwp")
    Network(sites.exchange.objects("network"), random.Random(1)).lose_receipts(share=1)
    sites.clock(clock.at(MONDAY + timedelta(days=1), 10))
    with sites.at("authority"):
        [late] = acknowledgement.look()
        assert late.send_again
        assert request().id == sent.id
    with sites.at("ons"):
        transfers.relay()
    with sites.at("dwp") as register:
        assert transfers.receive("dwp") == []
        assert register.get(held.id).target == held.target
    with sites.at("authority"):
        [done] = acknowledgement.look()
        assert (done.state, done.times) == ("acknowledged", 2)


def test_silence_alarms(sites: Sites) -> None:
    """N17"""
    with sites.at("authority"):
        crosswalk()
    sites.clock(clock.at(MONDAY + timedelta(days=3), 10))
    with sites.at("authority") as register:
        [silent] = acknowledgement.look()
        assert silent.state == "late"
        assert [one.kind for one in register.incidents()] == ["transfer_unacknowledged"]


def test_a_refusal_that_sending_again_cannot_mend_is_told_to_a_person(sites: Sites, monkeypatch) -> None:
    """N13, N17: the recipient's own policy decides, and the sender does not try again."""
    with sites.at("authority"):
        crosswalk()
    with sites.at("ons"), pytest.MonkeyPatch.context() as other_policy:
        other_policy.setattr(policy.Programme, "may_hold", _no)
        assert transfers.receive("ons-linker") == []
    with sites.at("authority") as register:
        [refused] = acknowledgement.look()
        assert (refused.state, refused.reason, refused.send_again) == ("refused", "N13", False)
        assert [one.kind for one in register.incidents()] == ["transfer_refused_there"]


def _no(self, store: str, dataset_class: str) -> None:
    raise FlowRefused("N13", "not here")


@pytest.fixture
def forged(sites: Sites):
    """Write an entry into another store's part of the directory, signed by whoever is said."""

    def write(site: str, store: str, name: str, told: dict) -> None:
        with sites.at(site):
            text = json.dumps({"store": store, "name": name, "at": clock.now().isoformat(), "simulated": True, **told})
            signer = next(iter(sorted(OWN[site] - {f"verifier-{site}"})))
            signature = keys.service(signer).sign(f"sign-{signer}", b"linkage directory\n" + text.encode())
        body = json.dumps({"entry": text, "signature": base64.b64encode(signature).decode()}).encode()
        sites.exchange.objects("network").put("directory", f"{store}/{name}", body)

    return write


def test_a_receiving_key_that_somebody_put_in_anothers_name_is_refused(sites: Sites, forged) -> None:
    """N11, N13: whoever owns the exchange cannot make a sender seal for a key of his own."""
    with sites.at("ons"):
        own = keys.service("ons-relay").receiving_key("ons-relay.20221031")
    told = {"kek": "dwp.20221031", "kind": own.kind, "public": base64.b64encode(own.public).decode()}
    forged("ons", "dwp", "receiving/dwp.20221031.json", told)
    with sites.at("authority") as register:
        with pytest.raises(CheckFailed, match="not signed by 'dwp'"):
            request()
        assert [one.kind for one in register.incidents()] == ["directory_entry_refused"]
    assert sites.exchange.buckets.get("ons-relay-inbox", []) == []


def test_a_key_moved_to_another_date_is_refused(sites: Sites) -> None:
    """D7: a genuine entry counts under its own name only."""
    network = sites.exchange.objects("network")
    body = network.get("directory", "dwp/receiving/dwp.20221101.json")
    network.put("directory", "dwp/receiving/dwp.20221031.json", body)
    with sites.at("authority"), pytest.raises(CheckFailed, match="for this place"):
        request()


def test_a_receipt_that_is_not_the_recipients_acknowledges_nothing(sites: Sites, forged) -> None:
    """N11: only the recipient's own signature ends the waiting."""
    with sites.at("authority") as register:
        sent = crosswalk()
        [row] = acknowledgement._unanswered(register, ["authority"])
    told = {"transfer": sent.id, "manifest": row.manifests[0], "answer": "accepted", "reason": None}
    forged("dwp", "ons-linker", f"receipts/{sent.id}/{row.manifests[0][:32]}.json", told)
    with sites.at("authority") as register:
        [waiting] = acknowledgement.look()
        assert waiting.state == "sent"
        assert [one.kind for one in register.incidents()] == ["receipt_refused"]


def test_a_site_nobody_pinned_is_refused(sites: Sites) -> None:
    """N11: no trust on first use."""
    file = sites.top / "trust.toml"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if not line.startswith("authority")))
    os.utime(file, ns=(1, 1))
    with sites.at("authority"):
        sent = crosswalk()
    with sites.at("ons"):
        assert transfers.receive("ons-linker") == []
    assert sites.incidents("ons") == ["transfer_refused"]
    with sites.at("authority"):
        with sites.at("ons"):
            [answer] = receipts.given("ons-linker", "ons-linker", sent.id)
        assert (answer.answer, answer.reason) == ("refused", "unsigned")


def test_a_recipient_that_has_published_no_key_yet_stops_the_sender_and_loses_nothing(sites: Sites) -> None:
    sites.clock(clock.at(MONDAY + timedelta(days=9), 9))
    with sites.at("authority") as register, pytest.raises(DependencyUnreachable, match="linkage keys prepare"):
        request()
    assert sites.exchange.buckets.get("ons-relay-inbox", []) == []
    with sites.at("authority") as register:
        assert acknowledgement.sent() == []
        assert register.keys() == []


def test_a_transfer_from_a_simulated_clock_is_refused_by_a_real_one(sites: Sites, monkeypatch) -> None:
    """D15"""
    with sites.at("authority"):
        crosswalk()
    with sites.at("ons") as register:
        monkeypatch.setattr(clock, "is_simulated", lambda: False)
        assert transfers.receive("ons-linker") == []
        assert "D15" in register.incidents()[0].detail


def test_a_destroyed_receiving_key_leaves_the_directory_and_opens_nothing(sites: Sites) -> None:
    """D6, D7: ciphertext that was kept aside on the way is dead with the recipient's key."""
    with sites.at("authority"):
        sent = request(secrets={"linkage": b"k" * 32})
    network = Network(sites.exchange.objects("network"), random.Random(2), rate=0)
    network.step(calm=True)
    with sites.at("ons"):
        transfers.relay()
    with sites.at("dwp") as register:
        [held] = transfers.receive("dwp")
    sites.clock(clock.at(date(2022, 10, 31), 4))
    with sites.at("dwp") as register:
        report = sweep.sweep()
        assert report.ok, report.lines
        assert not keys.service("dwp").key_exists("dwp.20221031")
        with pytest.raises(keys.KeyGone):
            keys.service("dwp").unwrap("dwp.20221031", str(held.wrapped_dek), held.id)
        prepare(days=1)
        assert "receiving/dwp.20221031.json" not in directory.names("dwp", "dwp", "receiving/")
        network.replay()
    with sites.at("ons"):
        transfers.relay()
    with sites.at("dwp") as register:
        assert transfers.receive("dwp") == []
        assert register.get(sent.holding_id).state == "destroyed"


def test_a_transfer_put_back_after_its_destruction_is_an_incident(sites: Sites) -> None:
    """D2, D7"""
    with sites.at("authority"):
        crosswalk()
    network = Network(sites.exchange.objects("network"), random.Random(3), rate=0)
    network.step(calm=True)
    with sites.at("ons"):
        [held] = transfers.receive("ons-linker")
        network.replay()
        assert transfers.receive("ons-linker") == []
        assert sites.incidents("ons") == []
        from linkage.custody.destruction import chain

        chain.destroy(held.id, "a test")
        network.replay()
        assert transfers.receive("ons-linker") == []
    assert sites.incidents("ons") == ["transfer_replayed"]


def _day(sites: Sites, network: Network, calm: bool) -> None:
    """One day of all three sites, in whatever order, the network between every two of them."""
    turns = list(SITES)
    network.dice.shuffle(turns)
    for site in turns:
        with sites.at(site):
            if site == "authority":
                for one in [one for one in acknowledgement.look() if one.send_again]:
                    SENT[one.dataset_class]()
            elif site == "ons":
                transfers.relay()
                transfers.receive("ons-linker")
                for one in [one for one in acknowledgement.look(["ons-relay"]) if one.send_again]:
                    SENT[one.dataset_class]()
            else:
                transfers.receive("dwp")
        network.step(calm)


SENT = {"department_request": request, "crosswalk": crosswalk}


def _end(sites: Sites) -> dict[str, tuple[Holding, bytes]]:
    found = {}
    for site, store in (("ons", "ons-linker"), ("dwp", "dwp")):
        with sites.at(site) as register:
            for one in register.find(store):
                found[store] = (one, Vault(store).read_bytes(one.id))
    return found


def _survives(sites: Sites, seed: int) -> None:
    network = Network(sites.exchange.objects("network"), random.Random(seed))
    with sites.at("authority"):
        request()
        crosswalk()
    network.step()
    for number in range(1, 11):
        sites.clock(clock.at(MONDAY + timedelta(days=number), 10))
        # Receiving keys are published for the days ahead, also while the way is bad.
        with sites.at("dwp"):
            prepare(days=1)
        calm = number > 4
        if not calm:
            network.lose_receipts()
            network.replay(network.dice.randint(0, 1))
        _day(sites, network, calm)
    ended = _end(sites)
    assert set(ended) == {"ons-linker", "dwp"}, (seed, dict(network.done))
    assert pl.read_parquet(ended["dwp"][1]).equals(REQUEST)
    assert pl.read_parquet(ended["ons-linker"][1]).equals(FILE)
    assert ended["dwp"][0].received_at >= clock.at(MONDAY, 9)
    with sites.at("authority"):
        acknowledgement.look()
        assert [one.state for one in acknowledgement.sent()] == ["acknowledged"] * 2, (seed, dict(network.done))
    _every_refusal_is_an_incident(sites)


def _every_refusal_is_an_incident(sites: Sites) -> None:
    for store in ("ons-relay", "ons-linker", "dwp"):
        with sites.at(holder_of(store)) as register:
            subjects = {one.subject for one in register.incidents() if one.kind == "transfer_refused"}
            for name in directory.names(store, store, "receipts/"):
                told = directory.read(store, store, name, {"transfer", "manifest", "answer", "reason"})
                if told["answer"] == "refused":
                    assert f"{store}/{told['transfer']}/{told['manifest'][:16]}" in subjects


@pytest.mark.large
@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_on_the_way_both_arrive_once_and_are_acknowledged(sites: Sites, seed: int) -> None:
    """N17, D2: lost, doubled, late, torn, altered, forged."""
    _survives(sites, seed)


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("hop", ["ons-linker", "ons-relay", "dwp"])
def test_every_harm_on_every_hop_is_an_incident_with_a_receipt_and_is_mended_by_sending_again(
    sites: Sites, harm: str, hop: str
) -> None:
    """N11, N17: the sender learns that it was harmed, at once and not after a day of silence."""
    network = Network(sites.exchange.objects("network"), random.Random(harm + hop))
    send = crosswalk if hop == "ons-linker" else request
    with sites.at("authority"):
        sent = send()
    if hop == "dwp":
        with sites.at("ons"):
            transfers.relay()
    network.harm_all(harm)
    with sites.at(holder_of(hop)) as register:
        if hop == "ons-relay":
            assert transfers.relay() == []
        else:
            assert transfers.receive(hop) == []
        [incident] = register.incidents()
        assert (incident.kind, incident.store) == ("transfer_refused", hop)
        assert objects.exchange(hop).versions(f"{hop}-inbox") == []
    with sites.at("authority"):
        [answer] = receipts.given("authority", hop, sent.id)
        assert answer.answer == "refused"
        [seen] = acknowledgement.look()
        manifest_came_whole = harm in ("altered part", "swapped part", "missing part")
        assert seen.send_again == manifest_came_whole, "of a manifest it never signed the sender waits for more"
        send()
    with sites.at("ons"):
        transfers.relay()
        transfers.receive("ons-linker")
    with sites.at("dwp"):
        transfers.receive("dwp")
    with sites.at("authority"):
        [done] = acknowledgement.look()
        assert done.state == "acknowledged"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 500))
def test_whatever_happens_on_the_way_in_four_hundred_schedules(sites: Sites, seed: int) -> None:
    """N17, D2"""
    _survives(sites, seed)


def test_the_commands_of_the_key_ceremony_say_what_is_trusted_and_what_was_answered(sites: Sites) -> None:
    """N11: the card has a line a store, and both sides see the same fingerprints."""
    with sites.at("ons"):
        card = _said(["site", "card"])
        assert [line.split(" ")[0] for line in card.splitlines()] == [
            "[signing]",
            *("ons-identity", "ons-linker", "ons-relay", "ons-research"),
        ]
    with sites.at("authority"):
        told = _said(["site", "trust"])
        for line in card.splitlines()[1:]:
            assert line.split("# ")[1] in told
        crosswalk()
        assert "crosswalk of wave 2022-autumn to ons-linker was sent" in _said(["transfers"])
    with sites.at("ons"):
        assert "ons-linker: accepted crosswalk" in _said(["site", "receive"])
    with sites.at("authority"):
        assert "was acknowledged on 2022-10-03" in _said(["transfers"])
        assert _said(["transfers", "--open"]) == ""


def _said(words: list[str]) -> str:
    from typer.testing import CliRunner

    from linkage.cli import app

    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    "text",
    ["", "[signing]\nnobody = ['AAAA']", "[signing]\ndwp = ['AAAA']", "[signing]\ndwp = 3", "[signing]\ndwp = []"],
)
def test_a_trust_file_with_a_mistake_trusts_nobody(sites: Sites, text: str) -> None:
    """N11: an unreadable file is no reason to go on without it."""
    (sites.top / "trust.toml").write_text(text)
    os.utime(sites.top / "trust.toml", ns=(2, 2))
    with sites.at("authority"), pytest.raises(Misuse, match="trust file"):
        trust.pinned()
