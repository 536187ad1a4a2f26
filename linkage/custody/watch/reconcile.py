"""Stores and their replicas against the register, both ways: what only one of them knows is an incident (D14)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from linkage import clock, policy
from linkage.custody.destruction.verification import verifier_of
from linkage.custody.models import LIVE, Holding
from linkage.custody.names import part_key
from linkage.custody.register import Register
from linkage.custody.stores import landing, objects
from linkage.custody.stores.objects import Version
from linkage.custody.stores.places import inbox_places, own_stores
from linkage.custody.transfers import sealing
from linkage.errors import CheckFailed


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What does not agree: `unowned` places in buckets, `missing` holdings (with the replica that lacks them), and
    transfers and delivered files left `waiting` too long."""

    checked: int
    unowned: tuple[str, ...]
    missing: tuple[str, ...]
    waiting: tuple[str, ...]

    @property
    def incidents(self) -> tuple[str, ...]:
        """Every difference."""
        return (*self.unowned, *self.missing, *self.waiting)

    @property
    def lines(self) -> list[str]:
        """One English sentence for each difference, and a closing count."""
        said = [f"{place} holds objects that no holding owns." for place in self.unowned]
        said += [f"{holding} is registered as held, but objects of it are missing." for holding in self.missing]
        said += [f"{place} waits longer than a day." for place in self.waiting]
        return [*said, f"{self.checked} holdings compared with the stores, both ways: {len(said)} differences."]

    @property
    def ok(self) -> bool:
        """Whether stores and register agree."""
        return not self.incidents


def reconcile(stores: Sequence[str] | None = None) -> Reconciliation:
    """Compare the site's buckets (or the named stores') with the register; each difference is an incident (D14)."""
    register = Register.open()
    unowned: list[str] = []
    missing: list[str] = []
    waiting: list[str] = []
    checked = 0
    for store in stores if stores is not None else own_stores():
        living = register.find(store, state=LIVE)
        checked += len(living)
        for place in objects.places():
            listing, at = objects.client(verifier_of(store), place), _at(place)
            vault = listing.versions(f"{store}-vault")
            begun = [f"{store}-vault/{key}" for key, _ in listing.uploads(f"{store}-vault")]
            unowned += [f"{at}{store}-vault/{one}" for one in _unowned(vault, f"{store}-vault", living)]
            unowned += [f"{at}{one}" for one in begun if not _owned(one, living)]
            missing += [f"{at}{one}" for one in _missing(vault, living, f"{store}-vault", place)]
        for place in inbox_places():
            inbox = objects.client(verifier_of(store), place).versions(f"{store}-inbox")
            waiting += [f"{_at(place)}{store}-inbox/{name}" for name in _waiting(store, inbox, living)]
        if store == policy.own_store():
            waiting += _landed()
    for kind, found in (("unowned_object", unowned), ("missing_objects", missing), ("transfer_waiting", waiting)):
        for subject in found:
            register.incident(kind, subject, f"found by the reconciliation of {clock.today()} (D14)")
    return Reconciliation(checked, tuple(unowned), tuple(missing), tuple(waiting))


def _unowned(versions: Iterable[Version], bucket: str, living: Sequence[Holding]) -> list[str]:
    """Places (`holdings/<id>/`) with versions or markers that no living holding owns."""
    owned = {holding.prefix for holding in living if holding.bucket == bucket}
    places = {"/".join(version.key.split("/")[:2]) + "/" for version in versions}
    return sorted(places - owned)


def _owned(place: str, living: Sequence[Holding]) -> bool:
    return any(place.startswith(f"{holding.bucket}/{holding.prefix}") for holding in living)


def _at(place: str) -> str:
    """What comes before a bucket's name when it is a replica's."""
    return "" if place in (objects.PRIMARY, objects.EXCHANGE) else f"{place}/"


def _missing(versions: Iterable[Version], living: Sequence[Holding], bucket: str, place: str) -> list[str]:
    """Held holdings that were written to this place and are not whole there."""
    there = {version.key for version in versions if not version.marker}
    ours = [holding for holding in living if place in holding.places.split(",")]
    held = [holding for holding in ours if holding.state == "held" and holding.bucket == bucket]
    return [
        holding.id for holding in held if not {part_key(holding, part) for part in range(1, holding.parts + 1)} <= there
    ]


def _waiting(store: str, versions: Iterable[Version], living: Sequence[Holding]) -> list[str]:
    """Transfers that lie in the inbox longer than a sweep's interval: nobody counts their days."""
    owned = {holding.prefix for holding in living if holding.bucket == f"{store}-inbox"}
    arrived: dict[str, datetime] = {}
    for version in versions:
        name = version.key.split("/")[1] if "/" in version.key else version.key
        arrived[name] = min(arrived.get(name, version.modified), version.modified)
    longest = timedelta(hours=policy.load().sweep.every_hours)
    return sorted(
        name
        for name, moment in arrived.items()
        if sealing.prefix(name) not in owned and _age(store, name, moment) > longest
    )


def _landed() -> list[str]:
    """Feeds of which a file lies where it landed longer than a sweep's interval, by the real clock; never its name."""
    longest, now = timedelta(hours=policy.load().sweep.every_hours), datetime.now(UTC)
    arrived = landing.arrivals(verifier_of(policy.own_store()))
    return sorted(f"landing/{feed}" for feed, moment in arrived.items() if now - moment > longest)


def _age(store: str, name: str, arrived: datetime) -> timedelta:
    """How long a transfer waits: by its manifest's own time where it has one, else by the object store's real clock."""
    try:
        manifest = sealing.read_manifest(objects.exchange(store).get(f"{store}-inbox", sealing.manifest_name(name)))
    except CheckFailed:
        return datetime.now(UTC) - arrived
    return clock.now() - manifest.sent_at
