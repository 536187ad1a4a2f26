"""One holding, told as a story: what it is, why it is held, from what it was made, how it was destroyed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, select

from linkage.custody.models import CertificateRow, Holding, HoldingRow, IncidentRow, ParentRow, StepRow
from linkage.custody.overview import page as overview
from linkage.custody.overview import words as words
from linkage.custody.overview.filter import Moment
from linkage.custody.overview.page import HoldingLine
from linkage.custody.overview.words import london
from linkage.custody.register import Register
from linkage.errors import Unknown

_STEPS = {
    "intent": "Destruction began: from here on nobody can read it",
    "key": "Its key was destroyed or erased",
    "inventory": "Every place where a copy may lie was listed",
    "objects": "Every copy was removed",
    "verified": "Another credential saw that nothing is left",
    "certified": "The certificate was issued",
}


@dataclass(frozen=True, slots=True)
class Relation:
    """A holding this one was made from, or that was made from it; `what` is empty when it stands in another register."""

    holding: str
    what: str
    store: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a holding."""

    at: str | None
    said: str


@dataclass(frozen=True, slots=True)
class Story:
    """All that the register says about one holding."""

    line: HoldingLine
    programme: str
    wave: str | None
    purpose: str | None
    lawful_basis: str | None
    why_then: str
    hold_scope: str | None
    simulated: bool
    sources: list[Relation]
    made: list[Relation]
    events: list[Event]
    next_step: str | None
    incidents: list[Event]


def story(holding_id: str) -> Story:
    """The story of a holding. Raises Unknown, DependencyUnreachable."""
    at = Moment.current()
    with Register.open().transaction() as session:
        row = session.get(HoldingRow, holding_id)
        if row is None:
            raise Unknown("there is no holding with that number")
        holding = Holding.of(row)
        certificate = session.scalar(select(CertificateRow.id).where(CertificateRow.holding_id == holding_id))
        steps = session.scalars(select(StepRow).where(StepRow.holding_id == holding_id).order_by(StepRow.at)).all()
        told = session.scalars(select(IncidentRow).where(IncidentRow.subject == holding_id).order_by(IncidentRow.id))
        incidents = [Event(london(one.at), one.detail) for one in told]
        related = {
            way: [
                Relation(other, words.what(Holding.of(known)) if known else "", known.store if known else "")
                for other, known in session.execute(query).tuples()
            ]
            for way, query in _relations(holding_id).items()
        }
    order = {step: index for index, step in enumerate(_STEPS)}
    done = sorted(steps, key=lambda one: (one.at, order.get(one.step, len(order))))
    on_hold = words.on_hold(holding, at)
    return Story(
        line=overview.line(holding, certificate, at),
        programme=holding.programme,
        wave=holding.wave,
        purpose=holding.purpose,
        lawful_basis=holding.lawful_basis,
        why_then=words.why_then(holding),
        hold_scope=holding.hold_scope if on_hold else None,
        simulated=holding.simulated,
        sources=related["sources"],
        made=related["made"],
        events=[
            Event(london(holding.received_at), "The first copy came"),
            *(Event(london(one.at), _STEPS.get(one.step, words.kind_of_data(one.step))) for one in done),
        ],
        next_step=_next_step(holding, certificate),
        incidents=incidents,
    )


def _next_step(holding: Holding, certificate: str | None) -> str | None:
    """What comes next where a destruction was begun and is not done (D7)."""
    if holding.state == "destroying":
        return (
            "The next sweep goes on where this stopped, whatever its date; nothing is certified before it is verified"
        )
    if holding.state == "destroyed" and certificate is None:
        return "The next sweep signs the certificate"
    return None


def _relations(holding_id: str) -> dict[str, Select[str, HoldingRow]]:
    sources = select(ParentRow.parent_id, HoldingRow).outerjoin(HoldingRow, HoldingRow.id == ParentRow.parent_id)
    made = select(ParentRow.child_id, HoldingRow).outerjoin(HoldingRow, HoldingRow.id == ParentRow.child_id)
    return {
        "sources": sources.where(ParentRow.child_id == holding_id).order_by(ParentRow.parent_id),
        "made": made.where(ParentRow.parent_id == holding_id).order_by(ParentRow.child_id),
    }
