"""Flatten the children in need census (DfE element names) into text rows: one per child and episode."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError, tostring

import polars as pl

from linkage.feeds.contract import Contract, XmlShape
from linkage.feeds.text_file import BROKEN_SCHEMA, ROW_NO, TextFile, refuse, tidy

_DECLARED = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
_SAFE_ENCODINGS = (b"utf-8", b"utf8", b"us-ascii", b"ascii")
_DEEPEST = 12
"""The census is six elements deep; unbounded depth is an attack on the parser, not data."""

Told = list[tuple[str, str]]
"""(column, text) of every contract element met."""


class _Refused(Exception):
    """Inside this module only: the reason to refuse the file, and where."""

    def __init__(self, reason: str, where: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.where = reason, where


@dataclass(frozen=True, slots=True)
class _Paths:
    """What the contract says about element paths below a record (or below the root, for parts outside records)."""

    shape: XmlShape
    column_of: dict[str, str]
    ignored: frozenset[str]
    holders: frozenset[str]
    repeating: frozenset[str]

    def known(self, path: str) -> bool:
        """Whether the contract names this element, an ignored one it stands in, or one that it holds."""
        steps = path.split("/")
        inside_ignored = any("/".join(steps[:depth]) in self.ignored for depth in range(1, len(steps) + 1))
        return inside_ignored or path in self.column_of or path in self.holders


def read_census(body: bytes, contract: Contract) -> TextFile:
    """The census as text rows in document order; `records` counts Child elements.

    A child's row stands once per section 47 enquiry and protection plan of each spell in need, or once for a spell
    with neither. Refused: document types and entities, elements the contract does not name (N3), another collection.
    """
    declared = _DECLARED.match(body.lstrip())
    if declared and declared.group(1).lower() not in _SAFE_ENCODINGS:
        return refuse(contract, "not_utf8")
    paths = _paths(contract)
    try:
        rows, broken, records = _collect(body, contract, paths)
    except _Refused as error:
        return refuse(contract, error.reason, error.where)
    except ParseError:
        root = paths.shape.root.encode()
        # Cut short is what began as the census and never came to its end.
        cut = body.lstrip().startswith(b"<") and b"<" + root in body and b"</" + root not in body
        return refuse(contract, "truncated" if cut else "xml_unreadable")
    if records == 0:
        return refuse(contract, "no_rows")
    if len(rows) + len(broken) > contract.limits.max_rows:
        return refuse(contract, "too_many_rows")
    schema = {ROW_NO: pl.Int32()} | {name: pl.String() for name in contract.names}
    frame = tidy(pl.DataFrame(rows, schema=schema, orient="row"), contract)
    return TextFile(frame, pl.DataFrame(broken, schema=BROKEN_SCHEMA, orient="row"), records)


def _paths(contract: Contract) -> _Paths:
    shape = contract.xml
    assert shape is not None
    column_of = {path: column.name for column in contract.columns for path in column.element}
    ignored = frozenset(part.element for part in contract.ignored)
    repeating = frozenset({shape.episode} | {f"{shape.episode}/{name}" for name in shape.sub_episodes})
    holders = {path.rsplit("/", up)[0] for path in (*column_of, *ignored) for up in range(1, path.count("/") + 1)}
    return _Paths(shape, column_of, ignored, frozenset(holders | repeating), repeating)


def _collect(
    body: bytes, contract: Contract, paths: _Paths
) -> tuple[list[dict[str, Any]], list[tuple[int, str, str, str]], int]:
    """Text rows, broken rows and the number of records, numbered in document order."""
    rows: list[dict[str, Any]] = []
    broken: list[tuple[int, str, str, str]] = []
    records = 0
    for records, child in enumerate(_records(body, paths), start=1):  # noqa: B007
        for told in _episodes(child, paths):
            row_no = len(rows) + len(broken) + 1
            twice = _repeated(told)
            if twice:
                broken.append((row_no, twice, "repeated_value", tostring(child, encoding="unicode")))
            else:
                rows.append(dict.fromkeys(contract.names) | dict(told) | {ROW_NO: row_no})
    return rows, broken, records


def _records(body: bytes, paths: _Paths) -> Iterator[Element]:
    """Each record element, complete; freed after use. Every element met is checked against the contract."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    seen: set[str] = set()
    stack: list[Element] = []
    names: list[str] = []
    collection = ""
    count = 0
    try:
        for event, element in iterparse(io.BytesIO(body), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                stack.append(element)
                names.append(_bare(element))
                path = "/".join(names)
                if path not in seen:
                    _require_known(names, paths, count + 1)
                    seen.add(path)
                continue
            path = "/".join(names[1:])
            stack.pop()
            names.pop()
            if path == paths.shape.collection:
                collection = (element.text or "").strip()
            elif path == paths.shape.record:
                count += 1
                yield element
                stack[-1].remove(element)
    except DefusedXmlException:
        raise _Refused("xml_forbidden") from None
    if collection != paths.shape.collection_is:
        raise _Refused("wrong_feed", paths.shape.collection)


def _require_known(names: list[str], paths: _Paths, number: int) -> None:
    """Refuse an element the contract does not name (N3), told by its record's number: its name is the sender's text."""
    shape = paths.shape
    if len(names) > _DEEPEST:
        raise _Refused("xml_unreadable", f"record {number}")
    if names[0] != shape.root:
        raise _Refused("unknown_column", "the root element")
    path = "/".join(names[1:])
    if not path or f"{shape.record}/".startswith(f"{path}/"):
        return
    inside = path.startswith(f"{shape.record}/")
    if not paths.known(path.removeprefix(f"{shape.record}/")):
        raise _Refused("unknown_column", f"record {number}" if inside else "outside the records")


def _episodes(child: Element, paths: _Paths) -> Iterator[Told]:
    """What each row of a child says: the child's own values, its spell's and its enquiry's or plan's."""
    shape = paths.shape
    about = _told(child, "", paths)
    spells = _named(child, shape.episode)
    if not spells:
        yield about
    for spell in spells:
        spell_told = about + _told(spell, shape.episode, paths)
        parts = [(name, part) for name in shape.sub_episodes for part in _named(spell, name)]
        if not parts:
            yield spell_told
        for name, part in parts:
            yield spell_told + _told(part, f"{shape.episode}/{name}", paths)


def _told(holder: Element, prefix: str, paths: _Paths) -> Told:
    """Contract elements below `holder`, not descending into parts that make rows of their own."""
    found: Told = []
    for element in holder:
        path = f"{prefix}/{_bare(element)}" if prefix else _bare(element)
        if path in paths.column_of:
            found.append((paths.column_of[path], element.text or ""))
        elif path not in paths.repeating and path not in paths.ignored:
            found += _told(element, path, paths)
    return found


def _repeated(told: Told) -> str | None:
    """The first column told twice, or None."""
    names = [name for name, _ in told]
    return next((name for name in names if names.count(name) > 1), None)


def _named(holder: Element, name: str) -> list[Element]:
    return [element for element in holder if _bare(element) == name]


def _bare(element: Element) -> str:
    """The element's name without a namespace."""
    return str(element.tag).rsplit("}", 1)[-1]
