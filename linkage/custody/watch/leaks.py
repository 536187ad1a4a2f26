"""Look for planted identifiers in files of any kind: stores, logs, databases, dumps. Says where, never what."""

from __future__ import annotations

import base64
import json
import mmap
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from linkage.errors import Misuse

NEAR = 200  # bytes within which a date of birth and a postcode make a person
_CHUNK = 32 * 1024 * 1024
_BASE64_LEAST = 8  # shorter runs of base64 occur by chance
# The search folds bytes to seven bits and one case, so one needle serves many spellings; each hit is then compared
# exactly with the spellings looked for.
_FOLD = bytes(byte if byte < 0x80 else byte & 0x7F or 1 for byte in range(256)).lower()


@dataclass(frozen=True, slots=True)
class Patterns:
    """Planted identifiers: names, NINOs, and pairs of date of birth (ISO) and postcode."""

    names: tuple[str, ...] = ()
    ninos: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, file: Path) -> Patterns:
        """From `{"names": [], "ninos": [], "pairs": [[dob, postcode]]}`. Raises Misuse."""
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
            pairs = tuple((str(dob), str(postcode)) for dob, postcode in told.get("pairs", []))
            for dob, _ in pairs:
                date.fromisoformat(dob)
            return cls(tuple(map(str, told.get("names", []))), tuple(map(str, told.get("ninos", []))), pairs)
        except FileNotFoundError:
            raise Misuse(f"no such file: {file.name}") from None
        except (ValueError, TypeError, AttributeError):
            raise Misuse(f"{file.name} is not a canary file") from None


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A planted identifier was found: in which file, at which byte, which one by its number in the canary file."""

    file: str
    offset: int
    kind: str
    index: int
    form: str

    def told(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Needle:
    raw: bytes
    kind: str
    index: int
    form: str

    def stands_as(self, found: bytes) -> bool:
        """Whether the bytes found are this needle: in base64 exactly, elsewhere whatever the case of its letters."""
        return found == self.raw or (self.form != "base64" and found.lower() == self.raw.lower())


def scan(paths: Sequence[Path], patterns: Patterns) -> list[Finding]:
    """Every place where a planted identifier stands in the files under `paths`, in order.

    Names and NINOs are looked for in UTF-8 in any case (NINOs with and without spaces), in UTF-16LE, and in base64 at
    each of the three alignments; a date of birth (ISO or dd/mm/yyyy) and its postcode
    count when they stand within 200 bytes. Raises Misuse for a path that does not exist.
    """
    needles = list(_needles(patterns))
    if not needles:
        return []
    finder = _Finder(needles)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the search itself runs outside the interpreter's lock
        found = pool.map(lambda file: _in_file(file, finder, patterns), _files(paths))
        return sorted(one for some in found for one in some)


class _Finder:
    """All needles searched for at once (Aho-Corasick, in polars), each hit confirmed byte by byte."""

    def __init__(self, needles: Sequence[_Needle]) -> None:
        self.by_fold: dict[str, list[_Needle]] = defaultdict(list)
        for needle in needles:
            self.by_fold[needle.raw.translate(_FOLD).decode("ascii")].append(needle)
        self.folds = list(self.by_fold)
        self.lengths = sorted({len(fold) for fold in self.folds})
        self.overlap = max(self.lengths)

    def hits(self, data: bytes) -> list[tuple[int, _Needle]]:
        """Offset and needle of every hit in `data`."""
        import polars as pl

        text = data.translate(_FOLD).decode("ascii")
        offsets = pl.Series([text]).str.find_many(self.folds, overlapping=True)[0].unique()
        return [
            (offset, needle)
            for offset in offsets.to_list()
            for length in self.lengths
            for needle in self.by_fold.get(text[offset : offset + length], ())
            if needle.stands_as(data[offset : offset + length])
        ]


def _in_file(file: Path, finder: _Finder, patterns: Patterns) -> list[Finding]:
    """Findings in one file: names and NINOs as they are, postcodes only with their date of birth near them."""
    found: set[Finding] = set()
    try:
        with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as view:
            for start in range(0, len(view), _CHUNK):
                for offset, needle in finder.hits(view[start : start + _CHUNK + finder.overlap]):
                    at = start + offset
                    if needle.kind != "pair" or _born_near(view, at, patterns.pairs[needle.index][0]):
                        found.add(Finding(str(file), at, needle.kind, needle.index, needle.form))
    except (FileNotFoundError, PermissionError, ValueError):
        return []  # empty, vanished or not ours to read: a socket, a file rotated away meanwhile
    return list(found)


def _born_near(view: mmap.mmap, at: int, dob: str) -> bool:
    near = view[max(0, at - NEAR) : at + NEAR]
    day = date.fromisoformat(dob)
    return dob.encode() in near or f"{day:%d/%m/%Y}".encode() in near


def _needles(patterns: Patterns) -> Iterator[_Needle]:
    for index, name in enumerate(patterns.names):
        yield from _forms("name", index, {name, name.upper(), name.lower(), name.title()})
    for index, nino in enumerate(patterns.ninos):
        plain = "".join(nino.split()).upper()
        spaced = " ".join([plain[:2], plain[2:4], plain[4:6], plain[6:8], plain[8:]]).strip()
        yield from _forms("nino", index, {plain, plain.lower(), spaced, spaced.lower()})
    for index, (_, postcode) in enumerate(patterns.pairs):
        plain = "".join(postcode.split()).upper()
        for told in (plain, f"{plain[:-3]} {plain[-3:]}"):
            yield _Needle(told.encode(), "pair", index, "dob and postcode")
            yield _Needle(told.lower().encode(), "pair", index, "dob and postcode")


def _forms(kind: str, index: int, spellings: Iterable[str]) -> Iterator[_Needle]:
    for told in sorted({one for one in spellings if one.strip()}):
        yield _Needle(told.encode("utf-8"), kind, index, "UTF-8")
        yield _Needle(told.encode("utf-16-le"), kind, index, "UTF-16LE")
        for raw in _base64(told.encode("utf-8")):
            yield _Needle(raw, kind, index, "base64")


def _base64(raw: bytes) -> Iterator[bytes]:
    """What `raw` looks like inside longer base64, at each alignment: the characters nothing around it changes."""
    for lead in range(3):
        told = base64.b64encode(b"\0" * lead + raw)
        first = -(-lead * 8 // 6)
        last = (lead + len(raw)) * 8 // 6
        if last - first >= _BASE64_LEAST:
            yield told[first:last]


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise Misuse(f"no such file or folder: {path}")
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (one for one in found if one.is_file() and not one.is_symlink())
