"""The authority's side: one stored pack per wave, and each recipient's part of it sent sealed (N5, N6, N13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from linkage import policy
from linkage.custody import history, transfers
from linkage.custody.evidence import ledger
from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, Misuse
from linkage.evaluation import gate
from linkage.evaluation.cohort import build_cohort
from linkage.evaluation.linkage_root import sub_key
from linkage.evaluation.submission import SubmissionPack, prepare
from linkage.identifiers.standardise import standardise
from linkage.policy.schema import DEPARTMENTS
from linkage.tokens.keys import LinkageKey
from linkage.tokens.leaving import leave

RECIPIENTS = ("ons-identity", "ons-research", "ons-linker", *DEPARTMENTS)
KEY_IN_TRANSIT = "linkage_key"
CLASSES = ("identity_file", "attribute_file", "compound_tokens", "crosswalk", "department_request")
"""The classes of data that a submission consists of."""


@dataclass(frozen=True, slots=True)
class PackMade:
    """What the task log may say of a pack; `suppressed` is None when the pack was made by an earlier run."""

    wave: str
    holding: str
    people: int
    suppressed: int | None

    def lines(self) -> list[str]:
        """Plain sentences; the authority may count its own people."""
        told = (
            f"Wave {self.wave}: {self.people:,} people of assessed families (N5), each with a fresh random reference "
            f"per recipient ({self.holding})."
        )
        if self.suppressed is None:
            return [told, "The pack was made by an earlier run and is used as it stands."]
        return [told, f"{self.suppressed} people who withdrew were left out (S3)."]


def wave_to_send(as_of: date) -> str | None:
    """The wave that is due and not yet wholly sent, or None. Raises FlowRefused (D3) once the programme is closed."""
    gate.require_open("evaluation_submission", as_of)
    programme = policy.load()
    wave = programme.wave_due(as_of)
    if wave is None or policy.own_authority() not in programme.authorities_of(wave.name):
        return None
    return None if set(RECIPIENTS) <= sent_to(wave.name) else wave.name


def sent_to(wave: str) -> set[str]:
    """The recipients this authority has sent a wave to, as the ledger knows."""
    own = {"programme": policy.load().name, "wave": wave, "sender": policy.own_store()}
    told = history.facts("submission_sent")
    return {str(facts["recipient"]) for facts in told if own.items() <= facts.items()}


def prepare_pack(wave: str) -> PackMade:
    """Build the wave's cohort and keep its pack, once: a second call finds the first one's references.

    Raises FlowRefused (D3), CheckFailed when no family list is in force.
    """
    from linkage.evaluation import suppression

    programme = policy.load()
    vault = Vault(policy.own_store())
    known = _pack(vault, wave)
    if known is not None:
        return PackMade(wave, known.id, known.rows or 0, None)
    people, families = _list_in_force(vault, "people"), _list_in_force(vault, "family_list")
    cohort = build_cohort(vault.read_frame(people.id), vault.read_frame(families.id), wave, policy.own_authority())
    suppressed = suppression.suppressed(vault, cohort)
    pack = prepare(cohort, suppressed)
    held = vault.put_frame(
        pack.frame,
        "submission_pack",
        programme=programme.name,
        wave=wave,
        label=wave,
        natural_key=f"pack:{programme.name}:{wave}",
        parents=[people.id, families.id],
    )
    return PackMade(wave, held.id, pack.frame.height, len(suppressed))


def send_to(recipient: str, wave: str) -> str:
    """Send one recipient its part of the wave and note it in the ledger; sending twice delivers once.

    Raises FlowRefused (N3, N6, N13, N17, D3) and CheckFailed; returns a sentence for the log.
    """
    if recipient not in RECIPIENTS:
        raise Misuse(f"no part of a submission goes to '{recipient}'")
    programme = policy.load()
    vault = Vault(policy.own_store())
    known = _pack(vault, wave)
    if known is None:
        raise CheckFailed(f"wave {wave} has no pack; prepare it first")
    pack = SubmissionPack.from_frame(vault.read_frame(known.id))
    sent = [
        transfers.send(
            frame,
            sender=policy.own_store(),
            recipient=recipient,
            via="ons-relay" if recipient in DEPARTMENTS else None,
            dataset_class=dataset_class,
            programme=programme.name,
            wave=wave,
            natural_key=f"{dataset_class}:{recipient}:{programme.name}:{wave}",
            secrets=secrets,
        )
        for dataset_class, frame, secrets in _parts(pack, recipient)
    ]
    own = {"programme": programme.name, "wave": wave, "sender": policy.own_store(), "recipient": recipient}
    facts = {**own, "transfers": [one.id for one in sent]}
    ledger.record("submission_sent", facts, once=f"submission|{'|'.join(own.values())}")
    return f"Sent to {recipient}: {len(sent)} sealed transfers of wave {wave}."


def _parts(pack: SubmissionPack, recipient: str) -> list[tuple[str, pl.DataFrame, dict[str, bytes]]]:
    match recipient:
        case "ons-identity":
            return [("identity_file", pack.identity_file, {})]
        case "ons-research":
            return [("attribute_file", pack.attribute_file, {})]
        case "ons-linker":
            tokens = _tokens(pack, "linker", sub_key("ons-linker"))
            # The linker gets tokens, never the key they were made with: it cannot try names.
            return [
                ("compound_tokens", tokens.rename({"record_id": "linker_ref"}), {}),
                ("crosswalk", pack.crosswalk, {}),
            ]
    key = sub_key(recipient)
    tokens = _tokens(pack, recipient, key).rename({"record_id": "request_ref"})
    return [("department_request", tokens, {KEY_IN_TRANSIT: key.to_seal()})]


def _tokens(pack: SubmissionPack, recipient: str, key: LinkageKey) -> pl.DataFrame:
    """The people's compound tokens under the recipient's key, audited before they may leave (N3)."""
    return leave(standardise(pack.people_for(recipient)), key, "compound")


def _pack(vault: Vault, wave: str) -> Holding | None:
    found = vault.find("submission_pack", wave=wave, programme=policy.load().name)
    return found[0] if found else None


def _list_in_force(vault: Vault, dataset_class: str) -> Holding:
    found = vault.find(dataset_class)
    if not found:
        raise CheckFailed(f"no {dataset_class} is in force; run early_help_families first")
    return max(found, key=lambda one: (one.label or "", one.received_at))
