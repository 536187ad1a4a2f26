"""The way between organisations, as it may be: loses, doubles, delays, reorders, tears and alters what lies in inboxes.

It stands where the exchange stands and has its administrator's rights: it sees every object and can open none.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Protocol

from linkage.policy import load

HARMS = ("altered part", "edited manifest", "swapped part", "missing part", "foreign key", "torn manifest")
"""What no recipient may take. Each of these must be an incident there."""


class Bucket(Protocol):
    """What the network needs of the exchange."""

    def put(self, bucket: str, key: str, body: bytes) -> None: ...
    def get(self, bucket: str, key: str, version_id: str | None = None) -> bytes: ...
    def versions(self, bucket: str, prefix: str = "") -> list[Any]: ...
    def purge(self, bucket: str, prefix: str) -> Any: ...


@dataclass
class Message:
    """Everything of one sending of one transfer: its objects by name."""

    bucket: str
    transfer: str
    objects: dict[str, bytes]
    wait: int = 0


@dataclass
class Network:
    """A seeded schedule of disturbances. `step` is called whenever somebody may have sent something."""

    exchange: Bucket
    dice: random.Random
    rate: float = 0.6
    flying: list[Message] = field(default_factory=list)
    seen: list[Message] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _ours: set[tuple[str, str, bytes]] = field(default_factory=set)

    def step(self, calm: bool = False) -> None:
        """Take what was sent since the last step into flight, and land what is due; when `calm`, everything unharmed."""
        for message in self._sent():
            self.seen.append(message)
            self.flying += [message] if calm else self._disturbed(message)
        landing = [one for one in self.flying if calm or one.wait <= 0]
        self.flying = [one for one in self.flying if not (calm or one.wait <= 0)]
        for one in self.flying:
            one.wait -= 1
        self.dice.shuffle(landing)
        for message in landing:
            self._land(message)

    def harm_all(self, harm: str) -> None:
        """Harm everything that lies in the inboxes, each the same way."""
        for message in self._sent():
            self.seen.append(message)
            self._land(Message(message.bucket, message.transfer, self._harmed(harm, dict(message.objects))))

    def replay(self, number: int = 1) -> None:
        """Put transfers of the past back as they were."""
        for message in self.dice.sample(self.seen, min(number, len(self.seen))):
            self.done["replayed"] += 1
            self._land(message)

    def lose_receipts(self, share: float = 0.3) -> None:
        """Remove receipts from the directory, as if they had never come."""
        for store in load().stores:
            for name in sorted({one.key for one in self.exchange.versions("directory", f"{store}/receipts/")}):
                if self.dice.random() < share:
                    self.done["receipt lost"] += 1
                    self.exchange.purge("directory", name)

    def _sent(self) -> list[Message]:
        """New sendings in all inboxes; they are taken out, so that nobody sees them before they land."""
        found = []
        for store in load().stores:
            bucket, by_transfer = f"{store}-inbox", defaultdict(dict[str, bytes])
            for one in self.exchange.versions(bucket, "transfers/"):
                if not one.marker:
                    body = self.exchange.get(bucket, one.key, one.version_id)
                    if (bucket, one.key, body) not in self._ours:
                        by_transfer[one.key.split("/")[1]][one.key] = body
            for transfer, objects in by_transfer.items():
                self.exchange.purge(bucket, f"transfers/{transfer}/")
                found.append(Message(bucket, transfer, dict(objects)))
        return found

    def _disturbed(self, message: Message) -> list[Message]:
        if self.dice.random() > self.rate:
            return [message]
        harm = self.dice.choice(("lost", "doubled", "delayed", "delayed", *HARMS))
        self.done[harm] += 1
        match harm:
            case "lost":
                return []
            case "doubled":
                return [message, Message(message.bucket, message.transfer, message.objects, self.dice.randint(0, 2))]
            case "delayed":
                return [Message(message.bucket, message.transfer, message.objects, self.dice.randint(1, 2))]
        return [Message(message.bucket, message.transfer, self._harmed(harm, dict(message.objects)))]

    def _harmed(self, harm: str, objects: dict[str, bytes]) -> dict[str, bytes]:
        manifest = next(name for name in objects if name.endswith("/manifest.json"))
        part = next(name for name in sorted(objects) if "/part-" in name)
        match harm:
            case "altered part":
                place = self.dice.randrange(len(objects[part]))
                changed = bytearray(objects[part])
                changed[place] ^= 1 << self.dice.randrange(8)
                objects[part] = bytes(changed)
            case "swapped part":
                others = [body for one in self.seen for name, body in one.objects.items() if "/part-" in name]
                objects[part] = self.dice.choice([body for body in others if body != objects[part]] or [b"x"])
            case "missing part":
                del objects[part]
            case "torn manifest":
                objects[manifest] = objects[manifest][: len(objects[manifest]) // 2]
            case "edited manifest":
                objects[manifest] = _edited(objects[manifest], self.dice)
            case "foreign key":
                objects[manifest] = _signed_by_a_stranger(objects[manifest])
        return objects

    def _land(self, message: Message) -> None:
        """Write a message's objects in any order: a manifest may come before its parts."""
        names = list(message.objects)
        self.dice.shuffle(names)
        for name in names:
            self._ours.add((message.bucket, name, message.objects[name]))
            self.exchange.put(message.bucket, name, message.objects[name])


def _edited(raw: bytes, dice: random.Random) -> bytes:
    outer = json.loads(raw)
    told = json.loads(outer["manifest"])
    field, value = dice.choice(
        [
            ("wave", "another"),
            ("columns", []),
            ("sent_at", "2022-09-01T00:00:00+00:00"),
            ("recipient", "mhclg"),
            ("sender", "moj"),
            ("via", None),
            ("rows", 7),
            ("kek", "dwp.20991231"),
            ("inherits", []),
            ("simulated", False),
        ]
    )
    told[field] = value if told[field] != value else "something"
    return json.dumps({**outer, "manifest": json.dumps(told, sort_keys=True, separators=(",", ":"))}).encode()


def _signed_by_a_stranger(raw: bytes) -> bytes:
    import base64

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from linkage.custody.keys import signed_bytes

    outer = json.loads(raw)
    signature = Ed25519PrivateKey.generate().sign(signed_bytes(outer["manifest"].encode()))
    return json.dumps({**outer, "signature": base64.b64encode(signature).decode()}).encode()
