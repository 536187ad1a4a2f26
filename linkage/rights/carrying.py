"""The four requests carried out, and what the person is told of each in plain English (S1 to S3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from linkage import clock, policy
from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed
from linkage.evaluation import schemas as evaluation_schemas
from linkage.policy.schema import DEPARTMENTS
from linkage.rights import amend, copies, withdrawal
from linkage.rights.figures import load as figures
from linkage.rights.request import Request
from linkage.rights.trace import Trace, trace
from linkage.rights.whereabouts import WaveState, waves


@dataclass(frozen=True)
class Outcome:
    """`answer` speaks to the person, `lines` to the log and without values; `copies` is what is handed over."""

    answer: list[str]
    lines: list[str]
    copies: dict[str, Any] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    to_tell: list[str] = field(default_factory=list)


def carry(vault: Vault, request: Request) -> Outcome:
    """Carry one request out. Safe to run again after a crash. Raises CheckFailed, FlowRefused: then it stays open."""
    steps: dict[str, Callable[[Vault, Request, Trace, list[WaveState]], Outcome]] = {
        "access": _access,
        "rectify": _rectify,
        "erase": _erase,
        "withdraw": _withdraw,
    }
    known = trace(vault, request.person)
    return steps[request.kind](vault, request, known, waves(known))


def _access(vault: Vault, request: Request, known: Trace, states: list[WaveState]) -> Outcome:  # noqa: ARG001
    # What is due already cannot become the source of anything new (D4), and the sweep is about to take it.
    lasting = [one for one in known.found if one.holding.legal is None or one.holding.legal > clock.now()]
    kept = Trace(known.ways, found=lasting)
    figure = figures().copy
    shown = copies.sections(kept, figure)
    answer = [_found(len(shown)), *_uncertain(known), *_beyond(states)]
    lines = [
        f"Found in {len(shown)} holdings; {sum(known.uncertain.values())} further rows could not be told apart safely."
    ]
    review = copies.needs_review(kept, figure)
    content = {"sections": shown, "review": review} if shown else {}
    return Outcome(answer, lines, content, [one.holding.id for one in lasting] if shown else [])


def _rectify(vault: Vault, request: Request, known: Trace, states: list[WaveState]) -> Outcome:
    changed = amend.correct(vault, known, request.corrections, request.number)
    columns = sorted({one.column for one in request.corrections})
    told = _sent(states, columns) + sorted(changed.sheets)
    answer = [
        f"Corrected: {', '.join(columns)}, in {changed.rows} rows of {changed.holdings} holdings.",
        "Each partner whose record was wrong is asked to correct it: until it does, its next delivery brings the old "
        "value back.",
        "Copies that were replaced are kept, unused, until their own deadlines, at the latest 28 days.",
        *_departments(states),
        *_uncertain(known),
        *_to_tell(told),
    ]
    if not changed.rows:
        answer = ["No wrong value was found in the records that are yours.", *_uncertain(known)]
        told = []
    lines = [f"{changed.rows} rows of {changed.holdings} holdings corrected."]
    if changed.rows:
        lines.append(amend.rules_rerun())
    sheets = {feed: json.loads(sheet.write_json()) for feed, sheet in changed.sheets.items()}
    sources = [one.holding.id for one in known.found if one.feed in sheets and one.holding.superseded_by is None]
    return Outcome(answer, lines, {"corrections": sheets} if sheets else {}, sources, told)


def _erase(vault: Vault, request: Request, known: Trace, states: list[WaveState]) -> Outcome:
    """Erasure implies withdrawal: nothing else keeps a person out of the next wave once a partner names them again."""
    _require_not_being_sent(states)
    left = withdrawal.withdraw(vault, known, states, request.number)
    erased = amend.erase(vault, known, request.number)
    lines = [*left.lines, *erased, *_erase_copies(vault, request, known)]
    if known.families:
        lines.append(amend.rules_rerun())
        lines += amend.destroy_old_lists(vault, known)
    feeds = sorted({one.feed for one in known.found if one.feed})
    told = left.to_tell + feeds
    answer = [
        f"Your rows were removed from {len(erased)} holdings of the authority. What held them before is destroyed, "
        "verified and certified.",
        "Kept: this request for as long as requests are kept, and a keyed mark that recognises you, so that you stay "
        "out of the evaluation.",
        "The partners' own records are theirs: each is told. If a partner delivers your record again, the "
        "authority has it again; ask again then.",
        *left.answer,
        *_uncertain(known),
        *_to_tell(told),
    ]
    return Outcome(answer, lines, to_tell=told)


def _withdraw(vault: Vault, request: Request, known: Trace, states: list[WaveState]) -> Outcome:
    _require_not_being_sent(states)
    left = withdrawal.withdraw(vault, known, states, request.number)
    return Outcome([*left.answer, *_to_tell(left.to_tell)], left.lines, to_tell=left.to_tell)


def _erase_copies(vault: Vault, request: Request, known: Trace) -> list[str]:
    """Destroy earlier copies that were made for this very person."""
    from linkage.custody.destruction import chain as destruction
    from linkage.rights import person

    lines = []
    for held in _copies_held(vault):
        number = held.natural_key.removeprefix("copies:")
        if number == request.number:
            continue
        letters = vault.register.find(policy.own_store(), "rights_request")
        earlier = next((one for one in letters if one.id == number), None)
        if earlier is None:
            continue
        ways = person.ways_written(_ways_of(vault, earlier))
        if (person.judge(ways, known.ways, known.rivals) == person.THEIRS).any():
            destruction.destroy(held.id, amend.REASON)
            lines.append(f"{held.id}: an earlier copy for the person, destroyed.")
    return lines


def _copies_held(vault: Vault) -> Sequence[Holding]:
    return [one for one in vault.find("rights_request") if one.natural_key.startswith("copies:")]


def _ways_of(vault: Vault, request: Holding) -> Any:
    import polars as pl

    return pl.DataFrame(json.loads(vault.read_bytes(request.id))["ways"])


def _require_not_being_sent(states: list[WaveState]) -> None:
    for state in states:
        if state.sent and not state.wholly_sent:
            raise CheckFailed(
                f"wave {state.wave} is being sent at this moment; the request is carried out when it is sent"
            )


def _sent(states: list[WaveState], columns: Sequence[str]) -> list[str]:
    """Who at ONS holds these columns of the person, or of somebody who may be the person."""
    schema = evaluation_schemas.load()
    bearing = {
        "ons-identity": set(schema.identifiers),
        # An age is counted from the date of birth.
        "ons-research": {*schema.attributes, "date_of_birth"},
    }
    held = {
        place.recipient for one in states if one.member != "no" for place in one.places if place.state != "destroyed"
    }
    return sorted(store for store, bears in bearing.items() if store in held and bears & set(columns))


def _departments(states: list[WaveState]) -> list[str]:
    """A department was sent tokens and no name; a letter naming the person would be the record that N10 forbids."""
    held = [
        place
        for one in states
        if one.member != "no"
        for place in one.places
        if place.recipient in DEPARTMENTS and place.state != "destroyed"
    ]
    if not held:
        return []
    return [
        "DWP, MoJ and DfE were sent sealed tokens, which name nobody and are destroyed within a month of receipt. They "
        "are not told: that would tell them that you are in the evaluation."
    ]


def _found(number: int) -> str:
    if not number:
        return "The authority holds nothing that is certainly about you under the names, dates and addresses you gave."
    return (
        f"Yes: data about you are in {number} holdings of the authority. A copy of your own rows is with this answer."
    )


def _uncertain(known: Trace) -> list[str]:
    rows = sum(known.uncertain.values())
    if not rows:
        return []
    return [
        f"{rows} further rows resemble yours but may be somebody else's, so they are not treated as yours. A former "
        "address, a former name or your National Insurance number would settle it."
    ]


def _beyond(states: list[WaveState]) -> list[str]:
    return [sentence for one in states for sentence in one.sentences()]


def _to_tell(recipients: list[str]) -> list[str]:
    return [f"Told of this, and asked to acknowledge it: {', '.join(recipients)}."] if recipients else []
