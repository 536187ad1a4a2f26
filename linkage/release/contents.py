"""Everything readable in the files of a bundle, whatever their format, and what in it may not leave (R1)."""

from __future__ import annotations

import io
import json
import re
import struct
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from defusedxml import ElementTree

from linkage.release.rules import ReleasePolicy
from linkage.release.spreadsheet import PARTS

_PICTURE_CHUNKS = {b"IHDR", b"IDAT", b"IEND", b"pHYs", b"tEXt", b"iTXt"}


def scan(files: Mapping[str, bytes], policy: ReleasePolicy) -> list[str]:
    """What is wrong in any of `files`: an unknown kind, an unreadable file, a text like an identifier. Never the text."""
    found = []
    for name, data in files.items():
        readers = [reader for ending, reader in READERS.items() if name.endswith(ending)]
        if not readers or "/" in name:
            found.append("a_file_of_another_kind")
            continue
        try:
            texts = [name, *readers[0](data)]
        except (ValueError, KeyError, struct.error, zlib.error, zipfile.BadZipFile, ElementTree.ParseError):
            found.append("an_unreadable_file")
            continue
        found += [f"identifier_{kind}" for kind, pattern in policy.identifier_patterns.items() if _any(pattern, texts)]
    return found


def _any(pattern: str, texts: list[str]) -> bool:
    return any(re.search(pattern, text) for text in texts)


def _csv(data: bytes) -> Iterator[str]:
    for line in data.decode().splitlines():
        yield from line.split(",")


def _toml(data: bytes) -> Iterator[str]:
    yield from _leaves(tomllib.loads(data.decode()))


def _json(data: bytes) -> Iterator[str]:
    yield from _leaves(json.loads(data))


def _leaves(told: Any) -> Iterator[str]:
    if isinstance(told, dict):
        for key, value in told.items():
            yield str(key)
            yield from _leaves(value)
    elif isinstance(told, list):
        for value in told:
            yield from _leaves(value)
    else:
        yield str(told)


def _text(data: bytes) -> Iterator[str]:
    yield data.decode()


def _svg(data: bytes) -> Iterator[str]:
    """The texts, and attributes that are words: coordinates cannot be told from numbers that mean something."""
    for element in ElementTree.fromstring(data).iter():
        if element.tag.rsplit("}", 1)[-1] in ("script", "image", "foreignObject"):
            raise ValueError("more than a drawing")
        yield from (part for part in (element.text, element.tail) if part and "{" not in part)
        yield from (value for name, value in element.items() if name in ("id", "class", "aria-label"))


def _ods(data: bytes) -> Iterator[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sorted(archive.namelist()) != sorted(PARTS):
            raise ValueError("more than a spreadsheet")
        for part in ("content.xml", "meta.xml"):
            for element in ElementTree.fromstring(archive.read(part)).iter():
                yield from (text for text in (element.text, element.tail) if text)
                # Numbers and names of sheets stand in attributes.
                yield from (
                    value for name, value in element.items() if name.endswith(("}value", "}name", "}string-value"))
                )


def _png(data: bytes) -> Iterator[str]:
    """The text chunks. A chunk of another kind than a plain picture has is refused."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("not a picture")
    place = 8
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        if kind not in _PICTURE_CHUNKS:
            raise ValueError("more than a picture")
        if kind in (b"tEXt", b"iTXt"):
            yield from data[place + 8 : place + 8 + length].decode("utf-8", "replace").split("\0")
        place += 12 + length
        if kind == b"IEND" and place != len(data):
            raise ValueError("something behind the picture")


READERS: Mapping[str, Callable[[bytes], Iterator[str]]] = {
    ".csv": _csv,
    ".toml": _toml,
    ".csv-metadata.json": _json,
    ".txt": _text,
    ".svg": _svg,
    ".ods": _ods,
    ".png": _png,
}
