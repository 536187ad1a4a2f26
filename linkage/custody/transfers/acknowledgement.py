"""What became of what was sent: receipts looked up, what is late or refused found, people told (N14, N17, D10).

The sender asks; nobody answers it. Batch by batch: a sentence names a transfer, a class and a wave, never how many were in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import select

from linkage import clock, policy
from linkage.clock import LONDON
from linkage.custody.evidence import ledger
from linkage.custody.models import SentRow
from linkage.custody.register import Register
from linkage.custody.stores.places import own_stores
from linkage.custody.transfers import receipts
from linkage.custody.transfers.receipts import ON_THE_WAY, Receipt
from linkage.errors import CheckFailed

State = Literal["sent", "forwarded", "acknowledged", "refused", "late"]


@dataclass(frozen=True, slots=True)
class Sent:
    """A transfer as its sender knows it."""

    transfer: str
    store: str
    recipient: str
    via: str | None
    dataset_class: str
    programme: str
    wave: str | None
    times: int
    first_sent_at: datetime
    sent_at: datetime
    state: State
    reason: str | None
    answered_at: datetime | None

    @property
    def send_again(self) -> bool:
        """Whether the sender should send it once more: unanswered for too long, or harmed on the way."""
        return self.state == "late" or (self.state == "refused" and self.reason in ON_THE_WAY)

    @property
    def sentence(self) -> str:
        """For the task log of either kind of reader."""
        what = (
            f"{self.transfer}: {self.dataset_class}{f' of wave {self.wave}' if self.wave else ''} to {self.recipient}"
        )
        times = f", sent {self.times} times" if self.times > 1 else ""
        match self.state:
            case "acknowledged":
                return f"{what} was acknowledged on {_told(self.answered_at)}{times}."
            case "refused":
                return f"{what} was REFUSED on {_told(self.answered_at)} ({self.reason}){times}."
            case "late":
                return f"{what} has had no answer since {_told(self.sent_at)}{times}; it is sent again."
            case "forwarded":
                return f"{what} was passed on by {self.via}, sent {_told(self.sent_at)}{times}; no answer yet."
        return f"{what} was sent {_told(self.sent_at)}{times}; no answer yet."


def look(stores: Sequence[str] | None = None) -> list[Sent]:
    """Read the receipts of what has no final answer, note the answers, and return those transfers as they stand now.

    A refusal, a receipt that is not its store's own, and silence beyond the policy's hours are incidents, and so alerts.
    Raises DependencyUnreachable.
    """
    register = Register.open()
    open_ones = _unanswered(register, list(stores if stores is not None else own_stores()))
    for row in open_ones:
        _note(register, row, _receipts(register, row))
    standing = [_standing(row) for row in _rows(register, [row.transfer for row in open_ones])]
    for one in standing:
        _tell(register, one)
    return standing


def sent(stores: Sequence[str] | None = None) -> list[Sent]:
    """Every transfer these stores (default: the site's) ever sent, oldest first, by what was noted so far."""
    wanted = list(stores if stores is not None else own_stores())
    query = select(SentRow).where(SentRow.store.in_(wanted)).order_by(SentRow.first_sent_at, SentRow.transfer)
    with Register.open().transaction() as session:
        return [_standing(row) for row in session.scalars(query)]


def closing(standing: Sequence[Sent]) -> str:
    """How many transfers stand where, in a sentence."""
    states = ("acknowledged", "sent", "forwarded", "late", "refused")
    counts = ", ".join(f"{sum(one.state == state for one in standing)} {state}" for state in states)
    return f"{len(standing)} transfers waited for their receipts: {counts}."


def _unanswered(register: Register, stores: Sequence[str]) -> list[SentRow]:
    query = select(SentRow).where(SentRow.store.in_(stores), SentRow.answer.is_distinct_from("accepted"))
    with register.transaction() as session:
        return list(session.scalars(query.order_by(SentRow.first_sent_at, SentRow.transfer)))


def _rows(register: Register, transfers: Sequence[str]) -> list[SentRow]:
    query = select(SentRow).where(SentRow.transfer.in_(transfers)).order_by(SentRow.first_sent_at, SentRow.transfer)
    with register.transaction() as session:
        return list(session.scalars(query))


def _receipts(register: Register, row: SentRow) -> Iterator[Receipt]:
    """Receipts for manifests that this sender signed. What else arrived under the transfer's name is not its answer."""
    for store in filter(None, (row.via, row.recipient)):
        try:
            found = receipts.given(row.store, store, row.transfer)
        except CheckFailed as error:
            register.incident("receipt_refused", f"{store}/{row.transfer}", str(error), row.store)
            continue
        yield from (one for one in found if one.manifest in row.manifests)


def _note(register: Register, row: SentRow, found: Iterator[Receipt]) -> None:
    """Accepted stands above all; a refusal counts for the manifest sent last only, for the others were sent again since."""
    told = list(found)
    accepted = [one for one in told if one.answer == "accepted" and one.by == row.recipient]
    refused = [one for one in told if one.answer == "refused" and one.manifest == row.manifests[-1]]
    forwarded = [one for one in told if one.answer == "forwarded" and one.by == row.via]
    final = accepted[0] if accepted else refused[-1] if refused else None
    with register.transaction() as session:
        kept = session.get_one(SentRow, row.transfer, with_for_update=True)
        if forwarded and kept.forwarded_at is None:
            kept.forwarded_at = forwarded[0].at
        if final is None or kept.answer == "accepted":
            return
        kept.answer, kept.reason, kept.answered_at = final.answer, final.reason, final.at
        facts: dict[str, str | None] = {
            "transfer": row.transfer,
            "sender": row.store,
            "recipient": row.recipient,
            "by": final.by,
        }
        facts |= {"answer": final.answer, "reason": final.reason, "dataset_class": row.dataset_class, "wave": row.wave}
        ledger.append(session, "answered", facts, once=f"answered|{final.answer}|{row.transfer}|{final.manifest[:16]}")


def _standing(row: SentRow) -> Sent:
    same = {
        name: getattr(row, name) for name in ("transfer", "store", "recipient", "via", "dataset_class", "programme")
    }
    more = {name: getattr(row, name) for name in ("wave", "first_sent_at", "sent_at", "reason", "answered_at")}
    return Sent(**same, **more, times=len(row.manifests), state=_state(row))


def _state(row: SentRow) -> State:
    if row.answer == "accepted":
        return "acknowledged"
    if row.answer == "refused":
        return "refused"
    patience = timedelta(hours=policy.load(row.programme).file.exchange.resend_after_hours)
    if clock.now() - row.sent_at >= patience:
        return "late"
    return "forwarded" if row.forwarded_at is not None else "sent"


def _tell(register: Register, one: Sent) -> None:
    """An incident for what only a person can put right, once."""
    patience = timedelta(hours=policy.load(one.programme).file.exchange.alert_after_hours)
    if one.state == "refused" and one.reason not in ON_THE_WAY:
        register.incident("transfer_refused_there", one.transfer, one.sentence, one.store)
    elif one.state != "acknowledged" and clock.now() - one.first_sent_at >= patience:
        said = f"{one.transfer} to {one.recipient} is unacknowledged since {_told(one.first_sent_at)}: ask them"
        register.incident("transfer_unacknowledged", one.transfer, said, one.store)


def _told(moment: datetime | None) -> str:
    return f"{moment.astimezone(LONDON):%Y-%m-%d %H:%M}" if moment else "?"
