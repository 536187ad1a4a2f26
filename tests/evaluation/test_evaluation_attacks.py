"""Attacks on the protocol, on the real servers, each with what its attacker really has; none wins (N9 to N14).

Elsewhere: the research file against everybody's true data (test_evaluation_reidentification.py); replayed, edited,
swapped, late and unsigned transfers (tests/custody/transfers/test_custody_transfer.py); every credential against every
bucket and key (tests/custody/test_custody_isolation.py); public name counts against tokens (tests/tokens).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl
import pytest
from base_stack import own_register

from linkage import policy
from linkage.custody import keys, transfers
from linkage.custody.models import Holding
from linkage.custody.stores import objects
from linkage.custody.transfers import sealing
from linkage.custody.vault import Vault
from linkage.errors import FlowRefused, LinkageError
from linkage.evaluation import submit
from linkage.evaluation.cohort import build_cohort
from linkage.evaluation.submission import SubmissionPack, prepare
from linkage.identifiers.standardise import standardise
from linkage.policy.schema import DEPARTMENTS
from linkage.sandbox.population import SANDBOX_AS_OF, make_population
from linkage.stack import StackAddresses
from linkage.tokens.keys import LinkageKey, published_key, recipient_key
from linkage.tokens.tokenise import tokenise

pytestmark = pytest.mark.servers

ONS = ("ons-identity", "ons-linker", "ons-research")


@dataclass(frozen=True)
class Wave:
    """A wave of the sandbox's borough as sent: who is behind each reference, and what each party holds of it."""

    name: str
    pack: SubmissionPack
    held: dict[str, list[Holding]]

    def frame(self, store: str, dataset_class: str) -> pl.DataFrame:
        [one] = [held for held in self.held[store] if held.dataset_class == dataset_class]
        return Vault(store).read_frame(one.id)

    def request(self, department: str) -> pl.DataFrame:
        return self.frame(department, "department_request")


@pytest.fixture(scope="module")
def wave(stack: StackAddresses) -> Iterator[Wave]:  # noqa: ARG001
    """Sent to everybody, relayed, accepted, in a register of its own; the stores' inboxes are empty before and after."""
    with pytest.MonkeyPatch.context() as patch, own_register(patch):
        yield _sent()


def _sent() -> Wave:
    stores = (*ONS, *DEPARTMENTS)
    for store in stores:
        transfers.receive(store)
    name, programme = f"attacks-{uuid.uuid4().hex[:8]}", policy.load()
    borough = make_population(4, 60, SANDBOX_AS_OF)
    people = borough.people.with_columns(pl.col("case_ref").alias("person_id"))
    cohort = build_cohort(people, borough.families, "2022-autumn", programme.file.programme.authority)
    pack = prepare(cohort, set())
    Vault("authority").put_frame(
        pack.frame, "submission_pack", programme=programme.name, wave=name, natural_key=f"pack:{programme.name}:{name}"
    )
    for recipient in submit.RECIPIENTS:
        submit.send_to(recipient, name)
    transfers.relay()
    held = {store: [one for one in transfers.receive(store) if one.wave == name] for store in stores}
    return Wave(name, pack, held)


def guesses(wave: Wave, mine: pl.DataFrame, theirs: pl.DataFrame) -> float:
    """Share of the people whom two departments join rightly: `mine` and `theirs` are `ref` and what the join goes by."""
    [by] = [name for name in mine.columns if name != "ref"]
    alone = [frame.filter(pl.len().over(by) == 1) for frame in (mine, theirs)]
    joined = alone[0].join(alone[1], on=by, suffix="_theirs")
    truth = wave.pack.frame.select("dwp_ref", "moj_ref")
    right = joined.join(truth, left_on=["ref", "ref_theirs"], right_on=["dwp_ref", "moj_ref"])
    return right.height / wave.pack.frame.height


def test_two_departments_join_no_token_and_no_reference(wave: Wave) -> None:
    """N10, N13: each holds its request and, for its days, its key; side by side they have nothing in common."""
    dwp, moj, dfe = (wave.request(name) for name in DEPARTMENTS)
    for mine, theirs in ((dwp, moj), (dwp, dfe), (moj, dfe)):
        assert not set(mine["person_token"]) & set(theirs["person_token"])
        assert not set(mine["request_ref"]) & set(theirs["request_ref"])


def test_two_departments_learn_nothing_from_the_order_of_rows(wave: Wave) -> None:
    """N13: a person's place among the tokens of one match-key, in one request against the other."""
    dwp, moj = (_places(wave.request(name)) for name in ("dwp", "moj"))
    truth = wave.pack.frame.select("dwp_ref", "moj_ref")
    both = dwp.join(truth, left_on="request_ref", right_on="dwp_ref").join(
        moj, left_on=["moj_ref", "match_key"], right_on=["request_ref", "match_key"], suffix="_moj"
    )
    alike = both.group_by("match_key").agg(pl.corr("place", "place_moj").alias("alike"), pl.len())
    assert alike.height > 5
    assert alike.filter(pl.col("len") > 100)["alike"].abs().max() < 0.3


def _places(request: pl.DataFrame) -> pl.DataFrame:
    """The first place of each person among the tokens of each match-key."""
    told = request.select("request_ref", pl.col("match_key").cast(pl.String))
    placed = told.with_columns(pl.int_range(pl.len()).over("match_key").alias("place"))
    return placed.group_by("request_ref", "match_key").agg(pl.col("place").min())


def test_two_departments_join_almost_nobody_by_how_many_tokens_a_person_has(wave: Wave) -> None:
    """N13: one number of tokens for everybody (ADR 7); only which identifiers are missing shows, and many share that."""

    def shape(department: str) -> pl.DataFrame:
        told = wave.request(department).select(pl.col("request_ref").alias("ref"), pl.col("match_key").cast(pl.String))
        counted = told.group_by("ref", "match_key").len().sort("match_key")
        text = pl.format("{} {}", "match_key", "len")
        return counted.group_by("ref").agg(text.str.join(" ").alias("shape"))

    assert guesses(wave, shape("dwp"), shape("moj")) <= 0.01


def test_the_relay_opens_no_request(wave: Wave, monkeypatch: pytest.MonkeyPatch) -> None:
    """N13: it has the ciphertext and the wrapped key, and its own key service credential."""
    caught: list[sealing.Manifest] = []
    genuine = sealing.read_manifest
    monkeypatch.setattr(sealing, "read_manifest", lambda raw: caught.append(genuine(raw)) or caught[-1])
    submit_again(wave, "dwp")
    transfers.relay()
    [told] = [one.told for one in caught if one.told["dataset_class"] == "department_request"][-1:]
    for principal in ("ons-relay", *ONS, "moj", "dfe", "authority"):
        with pytest.raises(LinkageError):
            keys.service(principal).unwrap(str(told["kek"]), str(told["wrapped_dek"]), str(told["holding"]))


def submit_again(wave: Wave, department: str) -> None:
    """The same request under another wave's name, so that it travels once more."""
    programme, name = policy.load().name, f"{wave.name}-{department}"
    Vault("authority").put_frame(
        wave.pack.frame, "submission_pack", programme=programme, wave=name, natural_key=f"pack:{programme}:{name}"
    )
    submit.send_to(department, name)


def test_a_department_reads_neither_anothers_request_nor_the_crosswalk(wave: Wave) -> None:
    """N13: as DWP, by every door it has."""
    [moj] = wave.held["moj"]
    crosswalk = next(one for one in wave.held["ons-linker"] if one.dataset_class == "crosswalk")
    for other in (moj, crosswalk):
        with pytest.raises(FlowRefused, match="N13"):
            Vault("dwp").read_bytes(other.id)
        with pytest.raises(LinkageError):
            objects.client("dwp").get(other.bucket, f"{other.prefix}{other.attempt}/00001")
        with pytest.raises(LinkageError):
            objects.client("dwp").versions(other.bucket)
        with pytest.raises(LinkageError):
            keys.service("dwp").unwrap(str(other.kek), str(other.wrapped_dek), other.id)


def test_the_linker_who_tries_every_name_has_no_key_to_try_it_with(wave: Wave) -> None:
    """N13: everybody's true name and address against the compound tokens, under every key the linker can reach."""
    tokens = set(wave.frame("ons-linker", "compound_tokens")["person_token"])
    everybody = standardise(wave.pack.people_for("linker"))
    programme = policy.load().name
    root = f"linkage-root-{programme}"
    service = keys.service("ons-linker")
    for ask in (
        lambda: recipient_key(lambda info: service.hmac(root, info), programme, "ons-linker"),
        lambda: service.sign(root, b"x"),
        lambda: service.unwrap(root, "vault:v1:AAAA", "x"),
        lambda: service.create_key(f"{root}-copy", "hmac"),
    ):
        with pytest.raises(LinkageError):
            ask()
    reach: dict[str, Callable[[], LinkageKey]] = {
        "published test vectors": published_key,
        "a key of its own": LinkageKey.throwaway,
        "derived from the programme's name": lambda: recipient_key(
            lambda info: hashlib.sha256(programme.encode() + info).digest(), programme, "ons-linker"
        ),
    }
    for what, key in reach.items():
        tried = set(tokenise(everybody, key(), "compound")["person_token"])
        assert len(tried) > 500
        assert not tried & tokens, what
    riding = [one for one in wave.held["ons-linker"] if one.wrapped_secrets]
    assert riding == [], "no key rides along to the linker"


def test_with_the_key_the_same_attack_would_name_everybody(wave: Wave) -> None:
    """A test of the attack: what stands between is the key and nothing else."""
    tokens = set(wave.frame("ons-linker", "compound_tokens")["person_token"])
    service, programme = keys.service("authority"), policy.load().name
    key = recipient_key(lambda info: service.hmac(f"linkage-root-{programme}", info), programme, "ons-linker")
    tried = tokenise(standardise(wave.pack.people_for("linker")), key, "compound")
    hit = tried.filter(pl.col("person_token").is_in(list(tokens)))["record_id"].n_unique()
    assert hit == wave.pack.frame.height


def test_a_departments_key_opens_nobody_elses_tokens(wave: Wave) -> None:
    """N13: DWP has its key for a month; on the linker's and on MoJ's tokens it does nothing."""
    [own] = wave.held["dwp"]
    key = LinkageKey(transfers.secrets_of(own.id)[submit.KEY_IN_TRANSIT])
    tried = set(tokenise(standardise(wave.pack.people_for("dwp")), key, "compound")["person_token"])
    assert tried & set(wave.request("dwp")["person_token"])
    assert not tried & set(wave.request("moj")["person_token"])
    assert not tried & set(wave.frame("ons-linker", "compound_tokens")["person_token"])


@pytest.mark.parametrize("sender", [*ONS, "ons-relay", *DEPARTMENTS, "mhclg"])
def test_nobody_gets_anything_back_to_the_authority(wave: Wave, sender: str) -> None:
    """N14: not as a transfer, not as an object, not under a key the authority can open."""
    found = pl.DataFrame({"attribute_ref": ["a" * 32], "months_employed": [3]})
    for dataset_class in ("attribute_file", "department_return", "research_file", "withdrawal_notice"):
        with pytest.raises(FlowRefused, match="N14"):
            transfers.send(
                found, sender=sender, recipient="authority", dataset_class=dataset_class,
                programme=policy.load().name, wave=wave.name, natural_key="feedback",
            )  # fmt: skip
    for bucket in ("authority-inbox", "authority-vault"):
        with pytest.raises(LinkageError):
            objects.client(sender).put(bucket, "feedback", b"families that cost most")
        with pytest.raises(LinkageError):
            objects.client("authority").get(f"{sender}-vault", "anything")
    with pytest.raises(LinkageError):
        keys.service(sender).wrap("authority.2022-12-01", b"feedback", "x")
