"""A store's vault: frames and bytes go in encrypted and with a deadline, and come out for their holder only."""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from linkage import clock, policy, settings
from linkage.custody import cipher, faults, keys
from linkage.custody.evidence import ledger
from linkage.custody.models import Holding, HoldingRow, ParentRow, holder_of
from linkage.custody.names import kek_date, kek_name, new_id, part_key
from linkage.custody.register import Register, deadline_of, register_key, row_of
from linkage.custody.stores import objects, places
from linkage.errors import CheckFailed, DependencyUnreachable, FlowRefused
from linkage.policy import Deadline
from linkage.policy.schema import DEPARTMENTS

if TYPE_CHECKING:
    import polars as pl

PART_BYTES = cipher.PART_BYTES - cipher.OVERHEAD
"""What a part holds, so that the sealed object is at most 64 MiB."""


@dataclass(frozen=True, slots=True)
class _Content:
    """What is to be kept: its size in bytes, its SHA-256, and its pieces, one for each part."""

    size: int
    digest: bytes
    pieces: Callable[[], Iterable[cipher.Buffer]]


class Vault:
    """What one store holds. It works with that store's credentials and no others (N13)."""

    def __init__(self, store: str) -> None:
        self.store = store
        self.bucket = f"{store}-vault"
        self.register = Register.open()
        self._keys = keys.service(store)

    def put_frame(
        self,
        frame: pl.DataFrame,
        dataset_class: str,
        *,
        programme: str,
        natural_key: str,
        wave: str | None = None,
        label: str | None = None,
        parents: Sequence[str | Holding] = (),
        received_at: datetime | None = None,
    ) -> Holding:
        """Keep a frame as encrypted Parquet, made in memory. Otherwise as `put_bytes`.

        The number of rows is registered except at departments, where it would count persons (N10, D10).
        """
        return self.put_bytes(
            parquet(frame),
            dataset_class,
            programme=programme,
            natural_key=natural_key,
            wave=wave,
            label=label,
            parents=parents,
            received_at=received_at,
            rows=frame.height,
        )

    def put_bytes(
        self,
        data: bytes,
        dataset_class: str,
        *,
        programme: str,
        natural_key: str,
        wave: str | None = None,
        label: str | None = None,
        parents: Sequence[str | Holding] = (),
        received_at: datetime | None = None,
        rows: int | None = None,
    ) -> Holding:
        """Keep bytes under a deadline and a key of their own, and return the holding.

        Idempotent by `natural_key`: what is held is returned as it is, what was half written is written anew. `label`
        and `natural_key` name feeds, dates and waves, never content. The clock runs from the first copy of the same
        content (D2); the deadline is the earliest of the class's own and the parents' (D4).
        Raises FlowRefused: N13 (class not of this store), D5 (no rule), D2 (already destroyed), D3/D4 (too late).
        """
        content = _Content(len(data), hashlib.sha256(data).digest(), lambda: cipher.pieces_of(data, PART_BYTES))
        named = (dataset_class, programme, natural_key, wave, label)
        return self._put(content, *named, parents, received_at, rows)

    def put_stream(
        self,
        source: io.BufferedIOBase,
        dataset_class: str,
        *,
        programme: str,
        natural_key: str,
        wave: str | None = None,
        label: str | None = None,
        parents: Sequence[str | Holding] = (),
        received_at: datetime | None = None,
    ) -> Holding:
        """Keep what a seekable binary stream holds, with never more than one part of it in memory. As `put_bytes`.

        It is read twice: its hash comes first, for the first copy's clock (D2), then its parts.
        """
        start = source.tell()
        digest = _digest(source)
        size = source.tell() - start

        def pieces() -> Iterator[memoryview]:
            source.seek(start)
            buffer = bytearray(min(size, PART_BYTES))
            for _ in range(cipher.number_of_parts(size, PART_BYTES)):
                with memoryview(buffer) as view:
                    yield view[: _fill(source, view)]

        named = (dataset_class, programme, natural_key, wave, label)
        return self._put(_Content(size, digest, pieces), *named, parents, received_at, None)

    def _put(
        self,
        content: _Content,
        dataset_class: str,
        programme: str,
        natural_key: str,
        wave: str | None,
        label: str | None,
        parents: Sequence[str | Holding],
        received_at: datetime | None,
        rows: int | None,
    ) -> Holding:
        known = self._known(natural_key)
        if known is not None and known.state == "held":
            return known
        if known is not None and known.state != "writing":
            raise FlowRefused("D2", f"{known.id} had this natural key and is {known.state}; it does not come back")
        plan = policy.load(programme)
        plan.may_hold(self.store, dataset_class)
        sources = [parent if isinstance(parent, Holding) else self.register.get(parent) for parent in parents]
        mac = self._content_mac(content.digest)
        received = self._first_copy(received_at or clock.now(), dataset_class, programme, mac, sources, rows)
        if known is not None:
            received = min(received, known.received_at)
        deadline = plan.deadline(dataset_class, received, [deadline_of(source) for source in sources])
        require_future(deadline)
        row = HoldingRow(
            id=known.id if known else new_id(),
            store=self.store,
            holder=holder_of(self.store),
            dataset_class=dataset_class,
            programme=programme,
            wave=wave,
            label=label,
            natural_key=natural_key,
            received_at=received,
            target=deadline.target,
            legal=deadline.legal,
            rule=deadline.rule,
            reclassified=plan.reclassifies(dataset_class),
            bucket=self.bucket,
            bytes=content.size,
            rows=None if holder_of(self.store) in DEPARTMENTS else rows,
            content_mac=mac,
        )
        return self._write(row, content, [source.id for source in sources], again=known)

    def read_frame(self, holding_id: str) -> pl.DataFrame:
        """The frame of a holding of this store. Raises as `read_bytes`."""
        import polars as pl

        return pl.read_parquet(io.BytesIO(self.read_bytes(holding_id)))

    def read_bytes(self, holding_id: str) -> bytes:
        """The bytes of a holding of this store.

        Raises FlowRefused (N13) for another store's holding, CheckFailed when it is not held or was tampered with.
        """
        pieces = [bytes(piece) for piece in self.read_parts(holding_id)]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read_parts(self, holding_id: str) -> Iterator[bytearray]:
        """The content of a holding part by part, each in the SAME buffer: memory stays at one part. As `read_bytes`.

        What has been given out before a part turns out to be tampered with must not be used.
        """
        holding = self.require_held(holding_id)
        key = self._keys.unwrap(str(holding.kek), str(holding.wrapped_dek), holding.id)
        sealed = (self._fetch(part_key(holding, part), holding) for part in range(1, holding.parts + 1))
        yield from cipher.opened_parts(key, holding.id, sealed, holding.parts)

    def _fetch(self, name: str, holding: Holding) -> bytes:
        """A sealed part, from a replica when the primary store does not answer."""
        *others, last = [store for store in objects.everywhere(self.store) if store.place in holding.places.split(",")]
        for store in others:
            with suppress(DependencyUnreachable):
                return store.get(self.bucket, name)
        return last.get(self.bucket, name)

    def require_held(self, holding_id: str) -> Holding:
        """The holding, if this store holds it now. Raises FlowRefused (N13, N18), CheckFailed."""
        holding = self.register.get(holding_id)
        if holding.store != self.store:
            raise FlowRefused("N13", f"{holding_id} is not in the store '{self.store}'")
        if _of_another_programme(holding):
            raise FlowRefused("N18", f"{holding_id} is of another programme than this deployment serves")
        if holding.state != "held":
            raise CheckFailed(f"{holding_id} is {holding.state}, not held")
        return holding

    def find(
        self, dataset_class: str, wave: str | None = None, programme: str | None = None, superseded: bool = False
    ) -> list[Holding]:
        """Holdings of that class in this store, oldest first; those that were superseded only when asked for.

        Outside the authority, what was made for another programme is not found at all (N18).
        """
        found = self.register.find(self.store, dataset_class, programme, wave)
        ours = [holding for holding in found if not _of_another_programme(holding)]
        return [holding for holding in ours if superseded or holding.superseded_by is None]

    def supersede(self, old: str | Holding, new: str | Holding) -> Holding:
        """Note that `new` takes the place of `old`, whose deadline comes nearer where the rule says so (D16)."""
        old_id, new_id_ = (one if isinstance(one, str) else one.id for one in (old, new))
        self.require_held(old_id)
        self.require_held(new_id_)
        with self.register.transaction() as session:
            row = row_of(session, old_id, lock=True)
            current = Deadline(row.target, row.legal, row.rule)
            nearer = policy.load(row.programme).superseded_deadline(row.dataset_class, clock.now(), current)
            row.superseded_by, row.target, row.legal, row.rule = new_id_, nearer.target, nearer.legal, nearer.rule
            facts = {"holding": old_id, "by": new_id_, "store": self.store, "dataset_class": row.dataset_class}
            ledger.append(session, "superseded", facts, once=f"superseded|{old_id}|{new_id_}")
        return self.register.get(old_id)

    def _known(self, natural_key: str) -> Holding | None:
        found = self.register.find(self.store, natural_key=natural_key, state=None)
        return found[0] if found else None

    def _content_mac(self, digest: bytes) -> str:
        """A keyed mark of the content: the hash of the store's own deterministic signature (RFC 8032) over its hash.

        Only the holder of the store's signing key can make it, so it says nothing to whoever reads the register.
        """
        signature = self._keys.sign(f"sign-{self.store}", b"content|" + digest)
        return hashlib.sha256(signature).hexdigest()

    def _first_copy(
        self,
        received: datetime,
        dataset_class: str,
        programme: str,
        mac: str,
        sources: Sequence[Holding],
        rows: int | None,
    ) -> datetime:
        """When the first copy of this content came (D2). Derived data and empty frames are not re-sent copies."""
        if sources or rows == 0:
            return received
        query = select(func.min(HoldingRow.received_at)).where(
            HoldingRow.store == self.store,
            HoldingRow.dataset_class == dataset_class,
            HoldingRow.programme == programme,
            HoldingRow.content_mac == mac,
        )
        with self.register.transaction() as session:
            first = session.scalar(query)
        return min(received, first) if first else received

    def _write(self, row: HoldingRow, content: _Content, parents: Sequence[str], again: Holding | None) -> Holding:
        """Register, encrypt, upload everywhere, and only then call it held; objects of earlier attempts go after."""
        row.prefix = f"holdings/{row.id}/"
        row.places = places.merged(places.configured(), again.places if again else objects.PRIMARY)
        row.kek = kek_name(self.store, row.target)
        row.simulated, row.created_at, row.state = clock.is_simulated(), clock.now(), "writing"
        with self.register.transaction() as session:
            register_key(session, row.kek, self.store, kek_date(row.target))
            row = session.merge(row)
            session.flush()
            link_parents(session, row.id, parents)
        faults.reach("put_registered")
        key, attempt = cipher.new_key(), secrets.token_hex(8)
        self._keys.make_kek(str(row.kek))
        wrapped = self._keys.wrap(str(row.kek), key, row.id)
        of = cipher.number_of_parts(content.size, PART_BYTES)
        for number, part in enumerate(cipher.sealed_parts(key, row.id, content.pieces(), of), start=1):
            for store in objects.everywhere(self.store):
                store.put(self.bucket, f"{row.prefix}{attempt}/{number:05d}", part)
            faults.reach("put_some_parts")
        faults.reach("put_uploaded")
        return self._hold(row.id, attempt, wrapped, of, again is not None)

    def _hold(self, holding_id: str, attempt: str, wrapped: str, parts: int, again: bool) -> Holding:
        with self.register.transaction() as session:
            row = row_of(session, holding_id, lock=True)
            if row.state == "writing":
                row.state, row.attempt, row.wrapped_dek, row.parts = "held", attempt, wrapped, parts
                ledger.append(session, "received", holding_facts(row), once=f"received|{row.id}")
            holding = Holding.of(row)
        faults.reach("put_held")
        if holding.attempt == attempt and not again:
            return holding
        for store in objects.everywhere(self.store):
            stale = {one.key.split("/")[2] for one in store.versions(self.bucket, holding.prefix)}
            for other in stale - {holding.attempt}:
                store.purge(self.bucket, f"{holding.prefix}{other}/")
        return holding


def parquet(frame: pl.DataFrame) -> bytes:
    """A frame as Parquet (zstd), made in memory: no plaintext file ever exists."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _digest(source: io.BufferedIOBase) -> bytes:
    """SHA-256 of the rest of a stream; the stream stands at its end afterwards."""
    told, buffer = hashlib.sha256(), bytearray(1 << 20)
    while got := source.readinto(buffer):
        told.update(memoryview(buffer)[:got])
    return told.digest()


def _fill(source: io.BufferedIOBase, view: memoryview) -> int:
    """Read until the view is full or the source ends; the bytes read."""
    at = 0
    while at < len(view) and (got := source.readinto(view[at:])):
        at += got
    return at


def _of_another_programme(holding: Holding) -> bool:
    """Whether it was made from another programme's cohort, at a holder that serves programmes side by side (N18).

    The authority's own holdings are one body of data, of which each programme is sent its part; released tables are open.
    """
    if holding.holder == "authority" or holding.programme == settings.load().programme:
        return False
    return policy.load(holding.programme).dataset(holding.dataset_class).within_programme


def require_future(deadline: Deadline) -> None:
    """Refuse what would have to be destroyed before it is written (D3, D4)."""
    if deadline.legal is not None and deadline.legal <= clock.now():
        rule = "D3" if "programme" in deadline.rule else "D4"
        raise FlowRefused(rule, f"its deadline ({deadline.legal:%Y-%m-%d %H:%M} UTC, {deadline.rule}) has passed")


def holding_facts(row: HoldingRow) -> dict[str, object]:
    """What the ledger says about a holding: where, what kind, until when; never how many persons (D10)."""
    return {
        "holding": row.id,
        "store": row.store,
        "dataset_class": row.dataset_class,
        "programme": row.programme,
        "wave": row.wave,
        "received_at": row.received_at.isoformat(),
        "legal": row.legal.isoformat() if row.legal else None,
        "rule": row.rule,
        "flow": row.flow_id,
    }


def link_parents(session: Session, child: str, parents: Sequence[str]) -> None:
    """Note what a holding was made from; the database refuses a parent that must go earlier (D4)."""
    for parent in parents:
        if session.get(ParentRow, (child, parent)) is None:
            session.add(ParentRow(child_id=child, parent_id=parent))
