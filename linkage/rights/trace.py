"""Where one person is, in every holding of the authority that could name them, quarantine and links included (S1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from linkage.custody.models import Holding
from linkage.custody.vault import Vault
from linkage.early_help.people import CASE, CENSUS, case_people, link_people
from linkage.feeds import FEEDS, receipt
from linkage.rights import person
from linkage.rights.person import PERHAPS, THEIRS

_CHILD = re.compile(rb"<Child\b.*?</Child>", re.DOTALL)


@dataclass(frozen=True)
class Found:
    """A holding that has rows of the person: its frame (or `lines` of a file nobody could read) and which rows."""

    holding: Holding
    frame: pl.DataFrame
    theirs: pl.Series
    is_text: bool = False

    @property
    def feed(self) -> str:
        """The partner feed behind a delivery or quarantine holding; empty for the authority's own lists."""
        return (
            self.holding.natural_key.split(":")[0] if self.holding.dataset_class in ("delivery", "quarantine") else ""
        )

    @property
    def rows(self) -> pl.DataFrame:
        """The person's rows."""
        return self.frame.filter(self.theirs)


@dataclass
class Trace:
    """What is known of the person by now, and where; `uncertain` counts rows by holding that might be theirs."""

    ways: pl.DataFrame
    rivals: pl.DataFrame | None = None
    references: set[str] = field(default_factory=set)
    person_ids: set[str] = field(default_factory=set)
    families: set[str] = field(default_factory=set)
    upns: set[str] = field(default_factory=set)
    found: list[Found] = field(default_factory=list)
    uncertain: dict[str, int] = field(default_factory=dict)

    def of_class(self, dataset_class: str) -> list[Found]:
        """The findings of one class of data, oldest first."""
        return [one for one in self.found if one.holding.dataset_class == dataset_class]


def trace(vault: Vault, told: pl.DataFrame) -> Trace:
    """Find the person in deliveries, quarantine, people, evidence, family lists and submission packs, old ones too.

    What the case record says of them (earlier names, addresses, a number) helps to find them in the other feeds.
    """
    known = Trace(told)
    own = [(one, vault.read_frame(one.id)) for one in _held(vault, "delivery") if _feed(one) == CASE]
    lists = [(one, vault.read_frame(one.id)) for one in _held(vault, "people")]
    _recognise(known, [frame for _, frame in own], [frame for _, frame in lists])
    links = _links(vault)
    for holding, frame in own + lists:
        _judged(known, holding, frame, links)
    for holding in _schools_first(vault):
        _delivery(known, holding, vault.read_frame(holding.id), links)
    for holding in _held(vault, "quarantine"):
        _quarantine(known, vault, holding)
    for holding in _held(vault, "submission_pack"):
        _judged(known, holding, vault.read_frame(holding.id), links)
    _by_reference(known, vault, "issue_evidence", "person_id", known.person_ids)
    _by_reference(known, vault, "family_list", "family_ref", known.families)
    return known


def recognised(vault: Vault, person_ref: str) -> pl.DataFrame:
    """How the case record writes the person of this reference; no row when it knows none."""
    frames = [vault.read_frame(one.id) for one in _held(vault, "delivery") if _feed(one) == CASE]
    rows = [person.ways_written(one.filter(pl.col("person_ref") == person_ref)) for one in frames]
    return pl.concat(rows).unique(maintain_order=True) if rows else pl.DataFrame()


def _recognise(known: Trace, case: list[pl.DataFrame], lists: list[pl.DataFrame]) -> None:
    """Learn the person's other names and addresses, references and families from the authority's own record."""
    for _ in range(2):
        rows = [frame.filter(person.judge(frame, known.ways) == THEIRS) for frame in case + lists if frame.height]
        known.ways = pl.concat([known.ways, *(person.ways_written(one) for one in rows)]).unique(maintain_order=True)
    others = [frame.filter(person.judge(frame, known.ways) != THEIRS) for frame in case if frame.height]
    if others:
        known.rivals = pl.concat([person.ways_written(one) for one in others]).unique(maintain_order=True)
        # Only somebody born on the same day can be taken for the person.
        known.rivals = known.rivals.filter(
            pl.col("date_of_birth").is_in(known.ways["date_of_birth"].drop_nulls().to_list())
        )
    for frame in case:
        mine = frame.filter(person.judge(frame, known.ways, known.rivals) == THEIRS)
        known.references |= set(mine["person_ref"])
        known.families |= set(mine["family_ref"])
        ids = case_people(frame)
        known.person_ids |= set(ids.filter(pl.col("person_ref").is_in(mine["person_ref"].to_list()))["person_id"])
    for frame in lists:
        mine = frame.filter(person.judge(frame, known.ways, known.rivals) == THEIRS)
        known.person_ids |= set(mine["person_id"])
        known.families |= set(mine["family_ref"])


def _links(vault: Vault) -> dict[str, pl.DataFrame]:
    """By holding: which references of its delivery the project's own matching gave to which person."""
    newest = {feed: receipt.current(vault, feed) for feed in FEEDS}
    held = {feed: one for feed, one in newest.items() if one is not None}
    if CASE not in held:
        return {}
    links = link_people({feed: vault.read_frame(one.id) for feed, one in held.items()})
    return {one.id: links.filter(pl.col("feed") == feed) for feed, one in held.items()}


def _delivery(known: Trace, holding: Holding, frame: pl.DataFrame, links: dict[str, pl.DataFrame]) -> None:
    if _feed(holding) == CENSUS:
        _keep(known, holding, frame, _census_rows(known, frame))
        return
    _judged(known, holding, frame, links)
    if "upn" in frame.columns and known.found and known.found[-1].holding.id == holding.id:
        known.upns |= set(known.found[-1].rows["upn"].drop_nulls())


def _judged(known: Trace, holding: Holding, frame: pl.DataFrame, links: dict[str, pl.DataFrame]) -> None:
    linked = None
    if holding.id in links:
        refs = links[holding.id].filter(pl.col("person_id").is_in(list(known.person_ids)))["person_ref"]
        linked = frame["person_ref"].is_in(refs.to_list())
    verdict = person.judge(frame, known.ways, known.rivals, linked)
    _keep(known, holding, frame, verdict == THEIRS, int(verdict.is_between(PERHAPS, THEIRS, closed="left").sum()))


def _census_rows(known: Trace, frame: pl.DataFrame) -> pl.Series:
    """The census names nobody: the authority's own child reference or the pupil number, and the date of birth."""
    born = known.ways["date_of_birth"].drop_nulls().to_list()
    reference = pl.col("person_ref").is_in(list(known.references))
    pupil = pl.col("upn").is_in(list(known.upns))
    day = pl.col("date_of_birth").cast(pl.String).is_in(born)
    return frame.select(((reference | pupil) & day).fill_null(value=False).alias("theirs")).to_series()


def _quarantine(known: Trace, vault: Vault, holding: Holding) -> None:
    references = sorted(known.references) + sorted(known.upns) if _feed(holding) == CENSUS else []
    if not holding.natural_key.endswith(":rows"):
        lines = pl.DataFrame({"line": split_file(vault.read_bytes(holding.id))}, schema={"line": pl.String})
        _keep(known, holding, lines, person.mentions(lines["line"], known.ways, references), is_text=True)
        return
    frame = vault.read_frame(holding.id)
    verdict = person.judge(frame, known.ways, known.rivals)
    theirs = (verdict == THEIRS) | person.mentions(frame["raw"], known.ways, references)
    if _feed(holding) == CENSUS:
        theirs = theirs | _census_rows(known, frame)
    _keep(known, holding, frame, theirs, int(verdict.is_between(PERHAPS, THEIRS, closed="left").sum()))


def split_file(content: bytes) -> list[str]:
    """A file that was refused whole, in records as far as can be told: its children, otherwise its lines."""
    children = _CHILD.findall(content)
    return [part.decode("utf-8", "replace") for part in (children or content.splitlines())]


def without_records(content: bytes, theirs: pl.Series) -> bytes:
    """The file with the marked records of `split_file` taken out, the rest byte for byte."""
    gone = set(theirs.arg_true().to_list())
    children = list(_CHILD.finditer(content))
    if children:
        kept, end = [], 0
        for number, child in enumerate(children):
            kept.append(content[end : child.start()] if number in gone else content[end : child.end()])
            end = child.end()
        return b"".join([*kept, content[end:]])
    lines = content.splitlines(keepends=True)
    return b"".join(line for number, line in enumerate(lines) if number not in gone)


def _by_reference(known: Trace, vault: Vault, dataset_class: str, column: str, values: set[str]) -> None:
    for holding in _held(vault, dataset_class):
        frame = vault.read_frame(holding.id)
        _keep(known, holding, frame, frame[column].is_in(list(values)).fill_null(value=False))


def _keep(
    known: Trace, holding: Holding, frame: pl.DataFrame, theirs: pl.Series, uncertain: int = 0, is_text: bool = False
) -> None:
    if theirs.any():
        known.found.append(Found(holding, frame, theirs.alias("theirs"), is_text))
    if uncertain:
        known.uncertain[holding.id] = uncertain


def _schools_first(vault: Vault) -> Iterator[Holding]:
    """Deliveries of partners; schools before the census, which is read by the pupil numbers found there."""
    rest = [one for one in _held(vault, "delivery") if _feed(one) != CASE]
    yield from sorted(rest, key=lambda one: _feed(one) == CENSUS)


def _held(vault: Vault, dataset_class: str) -> list[Holding]:
    return vault.find(dataset_class, superseded=True)


def _feed(holding: Holding) -> str:
    return holding.natural_key.split(":")[0]
