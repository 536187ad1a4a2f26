"""The register's tables. No column may hold personal data; deadlines are instants in UTC."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

LIVE = ("writing", "held", "destroying")


class Instant(TypeDecorator[datetime]):
    """An aware instant, kept in UTC; SQLite has no zones, so the zone is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: a deadline without a zone is a guess."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the register takes aware instants only")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """The instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of the register's tables."""


class HoldingRow(Base):
    """One holding: a dataset in one store, its deadline and its key (D4: the deadline lives here, nowhere else)."""

    __tablename__ = "holdings"
    __table_args__ = (
        UniqueConstraint("store", "natural_key", name="uq_holding_natural_key"),
        CheckConstraint("state IN ('writing','held','destroying','destroyed')", name="ck_holding_state"),
        CheckConstraint("legal IS NOT NULL OR reclassified", name="ck_holding_deadline"),
        CheckConstraint("target IS NULL OR legal IS NULL OR target <= legal", name="ck_holding_target"),
        CheckConstraint("rows IS NULL OR holder NOT IN ('dwp','moj','dfe')", name="ck_holding_no_person_count"),
        CheckConstraint("state <> 'destroyed' OR wrapped_dek IS NULL", name="ck_holding_key_gone"),
        Index("ix_holding_due", "state", "target"),
        Index("ix_holding_kek", "kek", "state"),
        Index("ix_holding_page", "legal", "id", "state", "holder", "dataset_class", "target", "hold_until"),
        Index(
            "ix_holding_destroyed",
            *("destroyed_at", "id", "holder", "dataset_class"),
            postgresql_where=text("destroyed_at IS NOT NULL"),
            sqlite_where=text("destroyed_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    store: Mapped[str] = mapped_column(String(32))
    holder: Mapped[str] = mapped_column(String(16))
    dataset_class: Mapped[str] = mapped_column(String(64))
    programme: Mapped[str] = mapped_column(String(64))
    wave: Mapped[str | None] = mapped_column(String(32))
    label: Mapped[str | None] = mapped_column(String(120))
    natural_key: Mapped[str] = mapped_column(String(200))
    purpose: Mapped[str | None] = mapped_column(Text)
    lawful_basis: Mapped[str | None] = mapped_column(Text)
    flow_id: Mapped[str | None] = mapped_column(String(64))
    transfer_id: Mapped[str | None] = mapped_column(String(64))
    received_at: Mapped[datetime] = mapped_column(Instant)
    target: Mapped[datetime | None] = mapped_column(Instant)
    legal: Mapped[datetime | None] = mapped_column(Instant)
    rule: Mapped[str] = mapped_column(String(200))
    reclassified: Mapped[bool] = mapped_column(Boolean, default=False)
    bucket: Mapped[str] = mapped_column(String(64))
    prefix: Mapped[str] = mapped_column(String(120))
    places: Mapped[str] = mapped_column(String(200), default="primary", server_default="primary")
    attempt: Mapped[str | None] = mapped_column(String(32))
    kek: Mapped[str | None] = mapped_column(String(64))
    wrapped_dek: Mapped[str | None] = mapped_column(Text)
    wrapped_secrets: Mapped[dict[str, str] | None] = mapped_column(JSON)
    parts: Mapped[int] = mapped_column(Integer, default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    rows: Mapped[int | None] = mapped_column(BigInteger)
    content_mac: Mapped[str | None] = mapped_column(String(64), index=True)
    state: Mapped[str] = mapped_column(String(12), default="writing")
    destroyed_at: Mapped[datetime | None] = mapped_column(Instant)
    superseded_by: Mapped[str | None] = mapped_column(String(40))
    hold_authority: Mapped[str | None] = mapped_column(String(120))
    hold_scope: Mapped[str | None] = mapped_column(Text)
    hold_until: Mapped[datetime | None] = mapped_column(Instant)
    simulated: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(Instant)


class ParentRow(Base):
    """What a holding was made from. A parent at another holder is named, not joined: its register may be elsewhere."""

    __tablename__ = "holding_parents"
    __table_args__ = (Index("ix_parent_child", "parent_id", "child_id"),)

    child_id: Mapped[str] = mapped_column(ForeignKey("holdings.id"), primary_key=True)
    parent_id: Mapped[str] = mapped_column(String(40), primary_key=True)


class KeyRow(Base):
    """A key-encryption key: one per store and destruction date."""

    __tablename__ = "key_encryption_keys"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    store: Mapped[str] = mapped_column(String(32))
    due_on: Mapped[date | None] = mapped_column(Date)
    destroyed_at: Mapped[datetime | None] = mapped_column(Instant)


class StepRow(Base):
    """A step of a destruction that is done; a re-run starts behind the last one (D7)."""

    __tablename__ = "destruction_steps"

    holding_id: Mapped[str] = mapped_column(ForeignKey("holdings.id"), primary_key=True)
    step: Mapped[str] = mapped_column(String(16), primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class CertificateRow(Base):
    """A signed certificate of destruction (D9); one for each holding, ever."""

    __tablename__ = "certificates"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    holding_id: Mapped[str] = mapped_column(ForeignKey("holdings.id"), unique=True)
    issued_at: Mapped[datetime] = mapped_column(Instant)
    document: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    simulated: Mapped[bool] = mapped_column(Boolean, default=False)


class LedgerRow(Base):
    """A leaf of the Merkle log (D11). `once` makes an entry of a re-run the same entry.

    `subtrees` holds the heads of the complete subtrees that this leaf closes, 32 bytes each, smallest first.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (Index("ix_ledger_kind", "kind", "seq"),)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(String(40))
    once: Mapped[str | None] = mapped_column(String(120), unique=True)
    leaf: Mapped[str] = mapped_column(Text)
    leaf_hash: Mapped[str] = mapped_column(String(64))
    subtrees: Mapped[bytes | None] = mapped_column(LargeBinary)


class SentRow(Base):
    """A transfer as its sender knows it: the manifests that went, and the recipient's answer to one of them."""

    __tablename__ = "sent_transfers"
    __table_args__ = (Index("ix_sent_unanswered", "store", "answer"),)

    transfer: Mapped[str] = mapped_column(String(40), primary_key=True)
    store: Mapped[str] = mapped_column(String(32))
    recipient: Mapped[str] = mapped_column(String(32))
    via: Mapped[str | None] = mapped_column(String(32))
    flow_id: Mapped[str] = mapped_column(String(64))
    dataset_class: Mapped[str] = mapped_column(String(64))
    programme: Mapped[str] = mapped_column(String(64))
    wave: Mapped[str | None] = mapped_column(String(32))
    manifests: Mapped[list[str]] = mapped_column(JSON)
    first_sent_at: Mapped[datetime] = mapped_column(Instant)
    sent_at: Mapped[datetime] = mapped_column(Instant)
    forwarded_at: Mapped[datetime | None] = mapped_column(Instant)
    answer: Mapped[str | None] = mapped_column(String(12))
    reason: Mapped[str | None] = mapped_column(String(40))
    answered_at: Mapped[datetime | None] = mapped_column(Instant)


class SweepRow(Base):
    """A sweep that reported, with what it found; the watchdog reads the latest (D13)."""

    __tablename__ = "sweeps"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    as_of: Mapped[datetime] = mapped_column(Instant)
    reported_at: Mapped[datetime] = mapped_column(Instant)
    horizon: Mapped[datetime] = mapped_column(Instant)
    stores: Mapped[str] = mapped_column(Text)
    due: Mapped[int] = mapped_column(Integer)
    destroyed: Mapped[int] = mapped_column(Integer)
    failed: Mapped[int] = mapped_column(Integer)
    blocked: Mapped[int] = mapped_column(Integer)


class IncidentRow(Base):
    """Something a person must look at: an altered transfer, an unowned object, a failed verification."""

    __tablename__ = "incidents"
    __table_args__ = (UniqueConstraint("kind", "subject", name="uq_incident"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(String(40))
    store: Mapped[str | None] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(200))
    detail: Mapped[str] = mapped_column(Text)

    @property
    def sentence(self) -> str:
        """The incident as an alert says it."""
        if self.subject in self.detail:
            return self.detail
        return f"{self.subject}{f' at {self.store}' if self.store else ''}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Holding:
    """A holding as others see it: a copy of its register row."""

    id: str
    store: str
    holder: str
    dataset_class: str
    programme: str
    wave: str | None
    label: str | None
    natural_key: str
    purpose: str | None
    lawful_basis: str | None
    flow_id: str | None
    transfer_id: str | None
    received_at: datetime
    target: datetime | None
    legal: datetime | None
    rule: str
    reclassified: bool
    bucket: str
    prefix: str
    places: str
    attempt: str | None
    kek: str | None
    wrapped_dek: str | None = field(repr=False)
    wrapped_secrets: dict[str, str] | None = field(repr=False)
    parts: int
    bytes: int
    rows: int | None
    content_mac: str | None = field(repr=False)
    state: str
    destroyed_at: datetime | None
    superseded_by: str | None
    hold_authority: str | None
    hold_scope: str | None
    hold_until: datetime | None
    simulated: bool

    @classmethod
    def of(cls, row: HoldingRow) -> Holding:
        """The copy of a row."""
        return cls(**{one.name: getattr(row, one.name) for one in fields(cls)})

    def public(self) -> dict[str, Any]:
        """What tables and `--json` show: no wrapped keys."""
        hidden = {"wrapped_dek", "wrapped_secrets", "content_mac"}
        told = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in hidden}
        return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()}


def holder_of(store: str) -> str:
    """The organisation a store belongs to: the part of its name before the dash."""
    return store.split("-", 1)[0]
