"""The search for planted identifiers: in every spelling, at every seam, and never shown (D7, N11)."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.custody.watch import leaks
from linkage.custody.watch.leaks import Patterns, scan
from linkage.errors import Misuse

NAME, NINO, DOB, POSTCODE = "Zéphyrine Quillfeather", "AB123456C", "2009-02-28", "SW9 7QT"
PATTERNS = Patterns((NAME,), (NINO,), ((DOB, POSTCODE),))


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("name", NAME.encode()),
        ("name", NAME.upper().encode()),
        ("name", NAME.lower().encode()),
        ("name", NAME.encode("utf-16-le")),
        ("nino", b"AB123456C"),
        ("nino", b"AB 12 34 56 C"),
        ("nino", b"ab123456c"),
        ("nino", "AB123456C".encode("utf-16-le")),
        ("pair", b"2009-02-28,SW9 7QT"),
        ("pair", b"SW97QT," + b"x" * 150 + b"28/02/2009"),
    ],
)
def test_every_spelling_is_found_where_it_stands(tmp_path: Path, kind: str, told: bytes) -> None:
    (tmp_path / "dump").write_bytes(b"\x00\xff" * 20 + told + b"\xfe")
    found = scan([tmp_path], PATTERNS)
    assert [(one.kind, one.index) for one in found] == [(kind, 0)]
    assert abs(found[0].offset - 40) <= 161


@given(st.binary(max_size=40), st.sampled_from([NAME, NINO, NINO.lower(), "AB 12 34 56 C"]), st.binary(max_size=40))
def test_base64_is_found_at_any_alignment(before: bytes, told: str, after: bytes) -> None:
    finder = leaks._Finder(list(leaks._needles(PATTERNS)))
    text = base64.b64encode(before + told.encode() + after)
    assert any(needle.form == "base64" for _, needle in finder.hits(text))


def test_what_lies_over_a_seam_between_two_chunks_is_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaks, "_CHUNK", 64)
    for start in range(40, 80):
        (tmp_path / "log").write_bytes(b"." * start + NINO.encode() + b"." * 90)
        assert [(one.kind, one.offset) for one in scan([tmp_path], PATTERNS)] == [("nino", start)]


@pytest.mark.parametrize(
    "told",
    [
        b"2009-02-28" + b"x" * 300 + b"SW9 7QT",
        b"SW9 7QT alone, and 2009-02-27",
        b"AB123457C and ZEPHYRINE",
        "Z\N{LATIN SMALL LETTER E WITH CIRCUMFLEX}phyrine Quillfeather".encode(),
        b"",
    ],
    ids=["far apart", "another date", "near misses", "another accent", "empty file"],
)
def test_what_is_not_a_leak_is_not_called_one(tmp_path: Path, told: bytes) -> None:
    (tmp_path / "log").write_bytes(told)
    assert scan([tmp_path], PATTERNS) == []


def test_a_finding_says_where_and_never_what(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"{NAME} {NINO} {DOB} {POSTCODE}")
    for one in scan([tmp_path], PATTERNS):
        said = json.dumps(one.told())
        assert not any(value in said for value in (NAME, NINO, DOB, POSTCODE))


def test_canary_files_are_read_strictly(tmp_path: Path) -> None:
    file = tmp_path / "canaries.json"
    file.write_text(json.dumps({"names": [NAME], "ninos": [NINO], "pairs": [[DOB, POSTCODE]]}))
    assert Patterns.read(file) == PATTERNS
    file.write_text(json.dumps({"pairs": [["28.2.2009", POSTCODE]]}))
    with pytest.raises(Misuse, match="not a canary file"):
        Patterns.read(file)
    with pytest.raises(Misuse, match="no such file"):
        Patterns.read(tmp_path / "none")
    with pytest.raises(Misuse, match="no such file or folder"):
        scan([tmp_path / "none"], PATTERNS)
    assert scan([tmp_path], Patterns()) == []


def test_the_vault_leaks_nothing_of_what_it_holds(doubled_house, tmp_path: Path) -> None:
    """N11: neither the object store nor the register shows a planted person."""
    doubled_house.put(data=f"{NAME},{NINO},{DOB},{POSTCODE}".encode(), label="police 2022-10-03")
    for bucket, stored in doubled_house.world.buckets.items():
        (tmp_path / bucket).write_bytes(b"".join(one.body for one in stored))
    register = Path(doubled_house.register.engine.url.database)
    assert scan([tmp_path, register, register.with_name(register.name + "-wal")], PATTERNS) == []
