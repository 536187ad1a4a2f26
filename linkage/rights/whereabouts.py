"""Beyond the authority: who was sent the person in which wave, and whether they can still be found (S1, S3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from linkage import clock, policy
from linkage.clock import LONDON
from linkage.custody.models import LIVE, Holding
from linkage.custody.register import Register
from linkage.evaluation import submit
from linkage.rights.trace import Found, Trace

Membership = Literal["yes", "no", "cannot be told"]
MAIN: Final = {
    "ons-identity": "identity_file",
    "ons-linker": "crosswalk",
    "ons-research": "attribute_file",
    "dwp": "department_request",
    "moj": "department_request",
    "dfe": "department_request",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One recipient's part of a wave; `until` is the legal deadline while it is held."""

    recipient: str
    state: Literal["held", "on its way", "destroyed"]
    until: datetime | None

    def sentence(self) -> str:
        """What the person may be told; they can ask the recipient itself while it holds the data."""
        if self.state == "destroyed":
            return f"{self.recipient}: has destroyed what it was sent; it keeps no record that you were in it."
        if self.state == "on its way":
            return f"{self.recipient}: was sent its sealed part; you can ask them."
        day = f"{self.until.astimezone(LONDON):%d %B %Y}" if self.until else "its deadline"
        return f"{self.recipient}: holds its part until {day} at the latest; you can ask them."


@dataclass(frozen=True, slots=True)
class WaveState:
    """One wave: who was sent it, whether the person is in it, and the authority's pack while that exists."""

    wave: str
    member: Membership
    places: tuple[Place, ...]
    pack: Found | None

    @property
    def sent(self) -> bool:
        """Whether any recipient was sent its part."""
        return bool(self.places)

    @property
    def wholly_sent(self) -> bool:
        """Whether every recipient was."""
        return {place.recipient for place in self.places} == set(MAIN)

    @property
    def can_be_found(self) -> bool:
        """Whether the linker still has the crosswalk that leads to the person (S3)."""
        open_now = policy.load().is_open(clock.now())
        linker = [place for place in self.places if place.recipient == "ons-linker"]
        return open_now and bool(linker) and linker[0].state != "destroyed"

    def sentences(self) -> list[str]:
        """Plain English about this wave for the answer."""
        if not self.sent:
            return [f"Wave {self.wave}: nothing has been sent."]
        yours = {
            "yes": "you are in it",
            "no": "you are not in it",
            "cannot be told": "the authority has destroyed its own list of who was in it and can no longer tell",
        }[self.member]
        return [f"Wave {self.wave}: {yours}.", *(place.sentence() for place in self.places if self.member != "no")]


def waves(known: Trace) -> list[WaveState]:
    """The state of every wave of the programme for this person."""
    register = Register.open()
    packs = {
        str(one.holding.wave): one for one in known.of_class("submission_pack") if one.holding.superseded_by is None
    }
    held = {str(one.wave) for one in register.find(policy.own_store(), "submission_pack")}
    states = []
    for wave in policy.load().file.wave:
        places = tuple(
            _place(register, recipient, wave.name) for recipient in MAIN if recipient in submit.sent_to(wave.name)
        )
        member: Membership = "yes" if wave.name in packs else "no" if wave.name in held else "cannot be told"
        states.append(WaveState(wave.name, member, places, packs.get(wave.name)))
    return states


def _place(register: Register, recipient: str, wave: str) -> Place:
    found = register.find(recipient, MAIN[recipient], wave=wave, state=None)
    live: list[Holding] = [one for one in found if one.state in LIVE]
    if live:
        return Place(recipient, "held", max((one.legal for one in live if one.legal), default=None))
    return Place(recipient, "destroyed" if found else "on its way", None)
