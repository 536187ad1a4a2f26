"""The daily identification: deliveries in force in, the family list, people and evidence out, all in the authority's vault."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

import polars as pl

from linkage import policy
from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.early_help.changes import changes, summary
from linkage.early_help.criteria import Criteria
from linkage.early_help.criteria import load as load_criteria
from linkage.early_help.identify import Identification, identify_families
from linkage.early_help.need_to_know import partner_list
from linkage.errors import CheckFailed
from linkage.feeds import FEEDS, receipt

_LISTS = ("people", "family_list", "issue_evidence")


@dataclass(frozen=True, slots=True)
class DailyList:
    """Counts of one identification run, and the holdings it made."""

    as_of: date
    feeds: tuple[str, ...]
    assessed: int
    identified: int
    invited: int
    holdings: tuple[str, ...]
    changed: str | None = None

    def lines(self) -> list[str]:
        """Plain sentences for the task log."""
        return [
            f"As of {self.as_of}: {self.assessed:,} assessed families, {self.identified:,} with two or more different "
            f"issues (N2), {self.invited:,} of them invited by rank (N4).",
            f"Evidence came from {len(self.feeds)} feeds: {', '.join(self.feeds)}.",
            f"Since the list before: {self.changed}." if self.changed else "There is no list before this one.",
        ]


def identify(as_of: date) -> DailyList:
    """Evaluate the six issues as of a date over the deliveries in force; the same inputs give the same holdings.

    Reads the authority's deliveries only, never anything of the evaluation (N9). Raises CheckFailed when the
    authority's own families have not been delivered yet.
    """
    vault = Vault(policy.own_store())
    deliveries = _in_force(vault)
    if "case_management" not in deliveries:
        raise CheckFailed(
            "no delivery of case_management is in force, so there are no families to assess; deliver it first"
        )
    accepted = {feed: vault.read_frame(held.id) for feed, held in deliveries.items()}
    criteria = load_criteria()
    found = identify_families(accepted, as_of, criteria, {feed: held.id for feed, held in deliveries.items()})
    parents = sorted(held.id for held in deliveries.values())
    sources = hashlib.sha256("+".join(parents).encode()).hexdigest()[:24]
    programme = policy.load().name
    families, changed = _since_last(vault, found, f"family_list:{as_of}:{sources}")
    frames = {"people": found.people, "family_list": families, "issue_evidence": found.hits}
    earlier = {name: [one for one in vault.find(name) if one.superseded_by is None] for name in _LISTS}
    made = []
    for name in _LISTS:
        held = vault.put_frame(
            frames[name],
            name,
            programme=programme,
            natural_key=f"{name}:{as_of}:{sources}",
            label=as_of.isoformat(),
            parents=parents,
        )
        made.append(held.id)
        for old in earlier[name]:
            if old.id != held.id and name != "issue_evidence":
                vault.supersede(old.id, held.id)
    made += _partner_lists(vault, found, criteria, parents, f"{as_of}:{sources}")
    return DailyList(
        as_of,
        tuple(sorted(accepted)),
        families.height,
        int(families["identified"].sum()),
        int(families["invited"].sum()),
        tuple(made),
        changed,
    )


def _since_last(vault: Vault, found: Identification, own_key: str) -> tuple[pl.DataFrame, str | None]:
    """The list with `change` and `change_told` against the list in force, and the counts; nulls where there is none."""
    before = [one for one in vault.find("family_list") if one.superseded_by is None]
    again = [one for one in before if one.natural_key == own_key]
    if again:
        listed = vault.read_frame(again[0].id)
        return listed, summary(listed) if listed["change"].null_count() < listed.height else None
    if not before:
        none = pl.lit(None, pl.String)
        return found.families.with_columns(change=none, change_told=none), None
    latest = max(before, key=lambda one: (one.received_at, one.id))
    changed = changes(found.families, vault.read_frame(latest.id))
    listed = found.families.join(changed.rename({"told": "change_told"}), on="family_ref", how="left")
    return listed, summary(changed)


def _partner_lists(vault: Vault, found: Identification, criteria: Criteria, parents: list[str], run: str) -> list[str]:
    """Keep each partner's need-to-know list, ready for its team; the list before is superseded (N3, N20)."""
    made = []
    earlier = vault.find("need_to_know_list")
    for feed in criteria.need_to_know:
        if feed not in set(found.links["feed"]):
            continue
        held = vault.put_frame(
            partner_list(found, feed, criteria),
            "need_to_know_list",
            programme=policy.load().name,
            natural_key=f"need_to_know_list:{feed}:{run}",
            label=feed,
            parents=parents,
        )
        made.append(held.id)
        for old in earlier:
            if old.label == feed and old.id != held.id:
                vault.supersede(old.id, held.id)
    return made


def _in_force(vault: Vault) -> dict[str, Holding]:
    """Each feed's delivery in force; a feed that never delivered is left out: "not supplied" is not "not met" (N2)."""
    found = {feed: receipt.current(vault, feed) for feed in FEEDS}
    return {feed: held for feed, held in found.items() if held is not None}
