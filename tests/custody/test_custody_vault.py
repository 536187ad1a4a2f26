"""The vault: encrypted, with a deadline, for its holder only (D1 to D5, N10, N13)."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from datetime import date, timedelta
from pathlib import Path

import custody_doubles
import polars as pl
import pytest

from linkage import clock
from linkage.custody import cipher, keys, vault
from linkage.custody.models import HoldingRow
from linkage.custody.register import row_of
from linkage.custody.stores import objects
from linkage.custody.vault import Vault
from linkage.errors import CheckFailed, FlowRefused, Misuse

PROGRAMME = "troubled_families_2015_2020"
FRAME = pl.DataFrame({"ref": ["r1", "r2"], "value": [1, None]})


def test_a_frame_comes_out_as_it_went_in(house) -> None:
    own = Vault("authority")
    held = own.put_frame(FRAME, "delivery", programme=PROGRAMME, natural_key="police/1", label="police 2022-10-03")
    assert own.read_frame(held.id).equals(FRAME)
    assert (held.state, held.rows, held.kek, held.simulated) == ("held", 2, "authority.20221031", True)


def test_the_object_store_never_sees_the_content(house) -> None:
    """N11."""
    held = house.put(data=b"a very plain text")
    listing = objects.client("authority").versions("authority-vault", held.prefix)
    bodies = [objects.client("authority").get("authority-vault", one.key) for one in listing]
    assert len(bodies) == 1
    assert b"plain" not in bodies[0]
    assert "police" not in listing[0].key


def test_the_same_natural_key_is_held_once(house) -> None:
    first, again = house.put(natural_key="a"), house.put(natural_key="a", data=b"other")
    assert again == first
    assert house.register.counts()["held"] == 1


def test_a_letter_sent_twice_does_not_restart_the_month(house) -> None:
    """D2: the clock starts with the first copy of the content."""
    first = house.put(data=b"letter", natural_key="monday")
    house.at(date(2022, 10, 17))
    second = house.put(data=b"letter", natural_key="a fortnight later")
    assert second.id != first.id
    assert second.legal == first.legal


def test_two_empty_frames_are_not_one_letter(house) -> None:
    empty, own = FRAME.clear(), Vault("authority")
    first = own.put_frame(empty, "quarantine", programme=PROGRAMME, natural_key="a")
    house.at(date(2022, 10, 17))
    second = own.put_frame(empty, "quarantine", programme=PROGRAMME, natural_key="b")
    assert second.received_at > first.received_at


def test_what_was_destroyed_does_not_come_back_under_its_name(house) -> None:
    from linkage.custody.destruction.chain import destroy

    held = house.put(natural_key="a")
    destroy(held.id, "a test")
    with pytest.raises(FlowRefused, match="D2"):
        house.put(natural_key="a")


def test_a_derived_dataset_goes_with_its_earliest_source(house) -> None:
    """D4."""
    source = house.put()
    house.at(date(2022, 10, 10))
    derived = house.put(dataset_class="quarantine", parents=[source.id])
    assert derived.legal == source.legal
    assert house.register.children(source.id) == [derived.id]


def test_data_that_would_be_overdue_at_birth_is_refused(house) -> None:
    """D4."""
    source = house.put()
    house.at(date(2022, 11, 1))
    with pytest.raises(FlowRefused, match="D4"):
        house.put(dataset_class="quarantine", parents=[source])


def test_only_a_class_that_a_named_rule_reclassifies_outlives_its_source(house) -> None:
    """D4: issue evidence is kept for its criteria window, by the programme file's own words."""
    source = house.put()
    derived = house.put(dataset_class="issue_evidence", parents=[source])
    assert derived.reclassified
    assert derived.legal > source.legal


def test_a_closed_programme_takes_nothing_in(house) -> None:
    """D3."""
    house.at(date(2022, 12, 1), 0)
    with pytest.raises(FlowRefused, match="D3"):
        house.put("ons-identity", "identity_file")


def test_a_store_holds_only_its_own_classes(house) -> None:
    """N13: no role reads both identifiers and attributes."""
    with pytest.raises(FlowRefused, match="N13"):
        house.put("ons-research", "identity_file")
    with pytest.raises(FlowRefused, match="D5"):
        house.put("authority", "a_class_nobody_wrote_down")


def test_a_store_reads_only_its_own_holdings(house) -> None:
    """N13, by rule and by key: what one store wrapped no other can unwrap."""
    held = house.put()
    with pytest.raises(FlowRefused, match="N13"):
        Vault("ons-research").read_bytes(held.id)
    with pytest.raises(FlowRefused, match="N11"):
        keys.service("ons-research").unwrap(held.kek, held.wrapped_dek, held.id)


def test_departments_never_register_how_many_rows_they_hold(house) -> None:
    """N10, D10: a count would say how many persons are in the evaluation."""
    held = Vault("dwp").put_frame(FRAME, "match_working", programme=PROGRAMME, natural_key="w1")
    assert held.rows is None
    with pytest.raises(CheckFailed, match="ck_holding_no_person_count"), house.register.transaction() as session:
        row_of(session, held.id).rows = 2


def test_tampered_ciphertext_is_found_out(house) -> None:
    held = house.put(data=b"x" * 1000)
    key = objects.client("authority").versions("authority-vault", held.prefix)[0].key
    body = objects.client("authority").get("authority-vault", key)
    objects.client("authority").put("authority-vault", key, body[:-1] + bytes([body[-1] ^ 1]))
    with pytest.raises(CheckFailed, match="part 1 of 1"):
        Vault("authority").read_bytes(held.id)


def _parts(house, holding) -> dict[str, bytes]:
    store = objects.client(holding.store)
    return {one.key: store.get(holding.bucket, one.key) for one in store.versions(holding.bucket, holding.prefix)}


HARM = {
    "two parts change places": lambda parts, _, __: {1: parts[2], 2: parts[1]},
    "a part is cut short": lambda parts, _, __: {2: parts[2][:-1]},
    "a part is emptied": lambda parts, _, __: {3: b""},
    "a bit is turned": lambda parts, _, __: {1: parts[1][:40] + bytes([parts[1][40] ^ 1]) + parts[1][41:]},
    "the first part stands for all": lambda parts, _, __: {2: parts[1], 3: parts[1]},
    "a part of another holding under this one's label": lambda _, other, __: {2: other[2]},
    "a part of an earlier attempt, played again": lambda _, __, earlier: {2: earlier[2]},
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_swapped_truncated_relabelled_and_replayed_parts_do_not_open(house, monkeypatch, harm) -> None:
    """N11: the same content each time, so only what each part is bound to tells them apart."""
    monkeypatch.setattr(vault, "PART_BYTES", 100)
    data = bytes(range(250))

    def put(natural_key: str):
        made = house.put(data=data, natural_key=natural_key)
        return made, dict(enumerate(_parts(house, made).values(), start=1))

    (held, parts), (_, other) = put("a"), put("b")
    with house.register.transaction() as session:  # as if its first run had died before the last step
        row_of(session, held.id).state = "writing"
    earlier = parts
    held, parts = put("a")
    assert Vault("authority").read_bytes(held.id) == data
    assert len(parts) == 3
    for number, body in harm(parts, other, earlier).items():
        objects.client("authority").put(held.bucket, f"{held.prefix}{held.attempt}/{number:05d}", body)
    with pytest.raises(CheckFailed, match="is not what was sealed there"):
        Vault("authority").read_bytes(held.id)


class _Endless(io.RawIOBase):
    """A file of so many bytes that does not exist in memory."""

    def __init__(self, size: int) -> None:
        self.size, self.at = size, 0

    def readinto(self, buffer) -> int:
        got = min(len(buffer), self.size - self.at)
        buffer[:got] = b"\x2a" * got
        self.at += got
        return got

    def seek(self, to: int, whence: int = 0) -> int:
        self.at = to
        return to

    def tell(self) -> int:
        return self.at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def test_a_stream_is_kept_and_read_with_one_part_in_memory(doubled_house, monkeypatch) -> None:
    """Parts of 1 MiB, content of 24: neither writing nor reading may hold more than a few parts."""
    part, size = 1 << 20, 24 << 20
    monkeypatch.setattr(vault, "PART_BYTES", part)
    kept: dict[str, int] = {}
    whole = custody_doubles.Objects.put

    def put(self, bucket, key, body) -> None:
        kept[key] = len(body)
        whole(self, bucket, key, bytes(body) if key.endswith("/00024") else b"")

    monkeypatch.setattr(custody_doubles.Objects, "put", put)
    tracemalloc.start()
    try:
        source = io.BufferedReader(_Endless(size))
        held = Vault("authority").put_stream(source, "delivery", programme=PROGRAMME, natural_key="big")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (held.parts, held.bytes, len(kept)) == (24, size, 24)
    assert max(kept.values()) == part + cipher.OVERHEAD
    assert peak < 6 * part


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 1000])
def test_a_stream_comes_out_as_it_went_in_whatever_its_size(house, monkeypatch, size: int) -> None:
    monkeypatch.setattr(vault, "PART_BYTES", 100)
    data = bytes(number % 251 for number in range(size))
    held = Vault("authority").put_stream(
        io.BytesIO(data), "delivery", programme=PROGRAMME, natural_key=f"s{size}", label="police"
    )
    assert held.parts == max(1, -(-size // 100))
    assert b"".join(bytes(part) for part in Vault("authority").read_parts(held.id)) == data
    assert Vault("authority").read_bytes(held.id) == data
    assert Vault("authority").put_bytes(data, "delivery", programme=PROGRAMME, natural_key=f"s{size}") == held


def test_a_sealed_part_is_never_larger_than_64_mib() -> None:
    assert vault.PART_BYTES + cipher.OVERHEAD == 64 * 1024 * 1024


_GIGABYTE = """
import io, resource, sys
sys.path.insert(0, {tests!r})
from test_custody_vault import _Endless
from linkage.custody.vault import Vault
def rss(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
v = Vault("authority")
v.put_bytes(b"warm", "delivery", programme={programme!r}, natural_key="warm")
before = rss()
held = v.put_stream(io.BufferedReader(_Endless(1_000_000_000)), "delivery", programme={programme!r}, natural_key="big")
wrote = rss()
assert sum(len(part) for part in v.read_parts(held.id)) == 1_000_000_000
print(before, wrote, rss(), held.parts)
"""


@pytest.mark.servers
@pytest.mark.slow
def test_a_gigabyte_goes_in_and_out_in_bounded_memory(real_house, tmp_path) -> None:
    """Peak resident memory of a process of its own, on the real store."""
    program = _GIGABYTE.format(tests=str(Path(__file__).parent), programme=PROGRAMME)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, wrote, read, parts = map(float, done.stdout.split())
    print(f"resident: {before:.0f} MB before, {wrote:.0f} MB after writing, {read:.0f} MB after reading")
    assert parts == 15
    assert read - before < 600


def test_a_superseded_list_goes_28_days_after_its_successor(house) -> None:
    """D16."""
    old = house.put(dataset_class="family_list")
    house.at(date(2022, 10, 10))
    new = house.put(dataset_class="family_list")
    nearer = Vault("authority").supersede(old, new)
    assert nearer.legal < old.legal
    assert nearer.legal - clock.now() <= timedelta(days=28, hours=1)
    assert [one.id for one in Vault("authority").find("family_list")] == [new.id]
    assert len(Vault("authority").find("family_list", superseded=True)) == 2


def test_a_half_written_holding_is_written_anew_from_its_first_day(doubled_house, monkeypatch) -> None:
    """D2: a crash between registration and upload gains no time, and leaves no second copy."""
    house = doubled_house
    monkeypatch.setitem(house.world.__dict__, "down", {"objects"})
    with pytest.raises(Exception, match="cannot be reached"):
        house.put(natural_key="a")
    [half] = house.register.find("authority", state="writing")
    monkeypatch.setitem(house.world.__dict__, "down", set())
    house.at(date(2022, 10, 5))
    whole = house.put(natural_key="a", data=b"content")
    assert (whole.id, whole.received_at, whole.state) == (half.id, half.received_at, "held")
    assert house.versions(whole) == 1


def test_nobody_holds_a_holding_nobody_knows(house) -> None:
    with pytest.raises(Misuse, match="hld_nowhere"):
        Vault("authority").read_bytes("hld_nowhere")


def test_a_representation_shows_no_wrapped_key(house) -> None:
    held = house.put()
    assert held.wrapped_dek not in repr(held)
    assert "wrapped_dek" not in held.public()
    assert {"target", "legal"} <= set(held.public())
    assert HoldingRow.__table__.c.keys()
