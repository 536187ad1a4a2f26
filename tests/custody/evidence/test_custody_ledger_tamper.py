"""A thousand harms to an exported ledger, and every one of them found by an auditor who has three small things (D11).

The auditor has the file, the checkpoint that the witness kept, and the witness's public key; no register, no service.
Whoever does the harm may have the whole register and knows this code, but not the witness's key.
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from linkage.custody.evidence import ledger, merkle
from linkage.custody.evidence import offline as evidence
from linkage.custody.evidence.checkpoint import Checkpoint
from linkage.errors import CheckFailed

ENTRIES = 120
SEED = 20221201


@dataclass(frozen=True)
class Export:
    """An export in memory: its first line's checkpoint, its entries, and the checkpoint the witness kept."""

    head: Checkpoint
    entries: tuple[bytes, ...]
    kept: Checkpoint

    def file(self) -> bytes:
        return evidence._head_line(self.head) + b"".join(entry + b"\n" for entry in self.entries)


@dataclass(frozen=True)
class Spoils:
    """What the wrongdoer may swap in: genuine earlier checkpoints, one of another ledger, and a key of their own."""

    earlier: dict[int, Checkpoint]
    foreign: Checkpoint
    key: Ed25519PrivateKey

    def forged(self, entries: tuple[bytes, ...]) -> Checkpoint:
        """A checkpoint over these entries that is right in everything but the key."""
        public = base64.b64encode(self.key.public_key().public_bytes_raw()).decode()
        bare = replace(self.foreign, size=len(entries), root=_root(entries), public_key=public, signature="")
        return replace(bare, signature=base64.b64encode(self.key.sign(bare.signed())).decode())


Harm = Callable[[random.Random, Export, Spoils], Export | bytes]


def _root(entries: tuple[bytes, ...]) -> str:
    return merkle.root(merkle.leaf_hash(entry) for entry in entries).hex()


def _renumbered(entries: list[bytes]) -> tuple[bytes, ...]:
    """The numbers put right again, so that nothing but the hashes can tell."""
    told = [{**json.loads(entry), "seq": number} for number, entry in enumerate(entries)]
    return tuple(json.dumps(one, sort_keys=True, separators=(",", ":")).encode() for one in told)


def a_byte_edited(dice: random.Random, export: Export, _: Spoils) -> bytes:
    raw = bytearray(export.file())
    place = dice.randrange(len(raw))
    raw[place] = (raw[place] + dice.randrange(1, 256)) % 256
    return bytes(raw)


def a_fact_edited(dice: random.Random, export: Export, _: Spoils) -> Export:
    entries = list(export.entries)
    place = dice.randrange(len(entries))
    told = json.loads(entries[place])
    told["facts"]["number"] += dice.randrange(1, 99)
    entries[place] = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    return replace(export, entries=tuple(entries))


def two_entries_exchanged(dice: random.Random, export: Export, _: Spoils) -> Export:
    entries = list(export.entries)
    one, other = dice.sample(range(len(entries)), 2)
    entries[one], entries[other] = entries[other], entries[one]
    return replace(export, entries=tuple(entries) if dice.random() < 0.5 else _renumbered(entries))


def an_entry_moved(dice: random.Random, export: Export, _: Spoils) -> Export:
    entries = list(export.entries)
    one, other = dice.sample(range(len(entries)), 2)
    entries.insert(other, entries.pop(one))
    return replace(export, entries=tuple(entries) if dice.random() < 0.5 else _renumbered(entries))


def entries_deleted(dice: random.Random, export: Export, _: Spoils) -> Export:
    entries = list(export.entries)
    for _number in range(dice.randrange(1, 4)):
        del entries[dice.randrange(len(entries) - 1)]
    return replace(export, entries=tuple(entries) if dice.random() < 0.5 else _renumbered(entries))


def an_entry_inserted(dice: random.Random, export: Export, _: Spoils) -> Export:
    entries = list(export.entries)
    told = json.loads(dice.choice(entries))
    told["facts"]["number"] = dice.randrange(10_000)
    fresh = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    entries.insert(dice.randrange(len(entries) + 1), fresh)
    return replace(export, entries=_renumbered(entries))


def the_tail_cut_at_a_byte(dice: random.Random, export: Export, _: Spoils) -> bytes:
    raw = export.file()
    return raw[: dice.randrange(len(raw))]


def the_tail_cut(dice: random.Random, export: Export, _: Spoils) -> Export:
    return replace(export, entries=export.entries[: dice.randrange(len(export.entries))])


def the_tail_cut_under_a_genuine_earlier_checkpoint(dice: random.Random, export: Export, spoils: Spoils) -> Export:
    size = dice.choice(sorted(spoils.earlier))
    return replace(export, entries=export.entries[:size], head=spoils.earlier[size])


def the_first_line_swapped_for_an_earlier_one(dice: random.Random, export: Export, spoils: Spoils) -> Export:
    return replace(export, head=dice.choice(list(spoils.earlier.values())))


def the_first_line_swapped_for_one_of_another_ledger(dice: random.Random, export: Export, spoils: Spoils) -> Export:
    entries = export.entries[: dice.randrange(1, len(export.entries) + 1)]
    return replace(export, head=spoils.foreign, entries=entries)


def the_first_line_patched_together(dice: random.Random, export: Export, spoils: Spoils) -> Export:
    other = dice.choice([*spoils.earlier.values(), spoils.foreign])
    names = [one for one in ("size", "root", "at", "signature") if getattr(other, one) != getattr(export.head, one)]
    taken = dice.sample(names, dice.randrange(1, len(names)))  # never all: that would be the other one, genuine
    return replace(export, head=replace(export.head, **{name: getattr(other, name) for name in taken}))


def the_first_line_spelt_otherwise(dice: random.Random, export: Export, _: Spoils) -> bytes:
    """The same values to a JSON or base64 reader, in other bytes."""
    line = evidence._head_line(export.head)
    told = export.head.told()
    name = dice.choice(["signature", "public_key"])
    text, alphabet = told[name], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet.index(text.rstrip("=")[-1])
    same_bytes = text.rstrip("=")[:-1] + alphabet[last ^ 1] + "=" * (len(text) - len(text.rstrip("=")))
    spellings = [
        line.replace(b", ", b"," + b" " * dice.randrange(2, 9), dice.randrange(1, 5)),
        json.dumps({"ledger": dict(dice.sample(list(told.items())[::-1], len(told)))}).encode() + b" \n",
        json.dumps({"ledger": told, "more": dice.randrange(9)}).encode() + b"\n",
        json.dumps({"ledger": told | {name: same_bytes}}).encode() + b"\n",
        line[:-1] + b"\r\n",
    ]
    return dice.choice(spellings) + export.file()[len(line) :]


def rewritten_and_signed_with_a_key_of_their_own(dice: random.Random, export: Export, spoils: Spoils) -> Export:
    entries = a_fact_edited(dice, export, spoils).entries if dice.random() < 0.5 else export.entries[:-3]
    return replace(export, entries=entries, head=spoils.forged(entries))


def signed_with_a_key_of_their_own_and_nothing_else(_dice: random.Random, export: Export, spoils: Spoils) -> Export:
    return replace(export, head=spoils.forged(export.entries))


def the_witnesss_checkpoint_swapped(dice: random.Random, export: Export, spoils: Spoils) -> Export:
    patched = the_first_line_patched_together(dice, export, spoils).head
    entries = export.entries[:-5]
    cut = replace(export, entries=entries, head=spoils.forged(entries), kept=spoils.forged(entries))
    return dice.choice([cut, replace(export, kept=spoils.foreign), replace(export, kept=patched)])


HARMS: tuple[Harm, ...] = (
    a_byte_edited,
    a_fact_edited,
    two_entries_exchanged,
    an_entry_moved,
    entries_deleted,
    an_entry_inserted,
    the_tail_cut_at_a_byte,
    the_tail_cut,
    the_tail_cut_under_a_genuine_earlier_checkpoint,
    the_first_line_swapped_for_an_earlier_one,
    the_first_line_swapped_for_one_of_another_ledger,
    the_first_line_patched_together,
    the_first_line_spelt_otherwise,
    rewritten_and_signed_with_a_key_of_their_own,
    signed_with_a_key_of_their_own_and_nothing_else,
    the_witnesss_checkpoint_swapped,
)
EACH = 63  # 16 kinds: 1,008 harms


@pytest.fixture
def exported(doubled_house, tmp_path: Path) -> tuple[Export, Spoils, bytes]:
    """A real export, what a wrongdoer could lay hands on, and the witness's public key."""
    entries = [ledger.Entry("note", {"number": number, "of": ENTRIES}) for number in range(ENTRIES)]
    with doubled_house.register.transaction() as session:
        ledger.append_all(session, entries)
    file = tmp_path / "ledger.jsonl"
    ledger.export(file)
    head, *lines = file.read_bytes().split(b"\n")[:-1]
    signed = Checkpoint.of(json.loads(head)["ledger"])
    told = tuple(lines)
    earlier = {size: ledger._sign(size, bytes.fromhex(_root(told[:size]))) for size in (1, 64, 90, 96, 119)}
    foreign = ledger._sign(100, bytes.fromhex(_root(told[20:])))
    return Export(signed, told, signed), Spoils(earlier, foreign, Ed25519PrivateKey.generate()), ledger.public_key()


@pytest.mark.large
def test_a_thousand_harms_to_an_export_are_all_found(exported, tmp_path: Path) -> None:
    """D11."""
    export, spoils, key = exported
    file, kept = tmp_path / "harmed.jsonl", tmp_path / "kept.json"

    def audit(harmed: Export | bytes) -> None:
        whole = harmed if isinstance(harmed, Export) else export
        file.write_bytes(harmed.file() if isinstance(harmed, Export) else harmed)
        kept.write_text(json.dumps(whole.kept.told()))
        evidence.verify(file, kept, key)

    audit(export)
    dice, missed, found = random.Random(SEED), [], 0
    for harm in HARMS:
        for number in range(EACH):
            harmed = harm(dice, export, spoils)
            assert harmed != export and harmed != export.file(), f"{harm.__name__} {number} harms nothing"
            try:
                audit(harmed)
                missed.append(f"{harm.__name__} {number}")
            except CheckFailed:
                found += 1
    assert missed == []
    assert found == len(HARMS) * EACH >= 1000


def test_a_gzipped_export_that_is_damaged_is_found(doubled_house, tmp_path: Path) -> None:
    """D11: a flipped bit, a missing end."""
    with doubled_house.register.transaction() as session:
        ledger.append_all(session, [ledger.Entry("note", {"number": number}) for number in range(50)])
    file = tmp_path / "ledger.jsonl.gz"
    ledger.export(file)
    whole, dice = file.read_bytes(), random.Random(SEED)
    assert evidence.verify(file, file.with_name(file.name + ".checkpoint.json"))["entries"] == 50
    for place in dice.sample(range(10, len(whole)), 60):  # the first ten bytes are gzip's own: they carry no content
        file.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << dice.randrange(8))]) + whole[place + 1 :])
        with pytest.raises(CheckFailed, match="D11"):
            evidence.verify(file)
        file.write_bytes(whole[:place])
        with pytest.raises(CheckFailed, match="D11"):
            evidence.verify(file)
