"""What one feed may contain: columns, rules between them, whole-file limits. `loading` reads it from TOML."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["text", "date", "whole", "flag", "code", "code_list"]
RuleKind = Literal["at_least", "sum_at_most", "not_before", "one_present", "unique"]
Identifier = Literal["nino", "postcode", "nhs_number", "upn"]

EARLIEST = date(1900, 1, 1)
FLAGS = {"1": True, "0": False, "true": True, "false": False}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Column(_Part):
    """One column as the partner delivers it, and whether the purpose needs it afterwards (N3)."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Kind
    required: bool
    keep: bool
    why: str = Field(min_length=10)
    codes: list[str] = Field(default_factory=list)
    map: dict[str, str] = Field(default_factory=dict)
    pattern: str | None = None
    min: int | None = None
    max: int | None = None
    max_length: int = Field(200, gt=0)
    earliest: date = EARLIEST
    future: bool = False
    identifier: Identifier | None = None
    element: list[str] = Field(default_factory=list)
    blank_when: str | None = None

    @property
    def accepts(self) -> list[str]:
        """The values a flag or a coded column may hold."""
        return self.codes or (["0", "1"] if self.kind == "flag" else [])

    @property
    def flag_name(self) -> str:
        """The column that says an identifier was delivered and is not valid."""
        return f"{self.name}_invalid"


class Rule(_Part):
    """A rule between the columns of one row, or between rows (`unique`)."""

    kind: RuleKind
    column: str = ""
    columns: list[str] = Field(default_factory=list)
    other: str = ""
    value: int | None = None
    reason: str = ""

    @property
    def blames(self) -> str:
        """The column a violation of this rule is reported at."""
        return self.column or self.columns[0]

    @property
    def between_rows(self) -> bool:
        """Whether the rule compares rows with each other; such rules see only rows that are sound by themselves."""
        return self.kind == "unique"

    @property
    def names(self) -> list[str]:
        """Every column the rule reads."""
        return [name for name in (self.column, *self.columns, self.other) if name]


class Limits(_Part):
    """Whole-file limits; a file beyond them is refused unread."""

    max_bytes: int = Field(gt=0)
    max_rows: int = Field(gt=0)


class Drift(_Part):
    """Bands outside which a delivery is held for a person instead of loaded."""

    volume_band: list[float] = Field(min_length=2, max_length=2)
    volume_from_rows: int = Field(gt=0)
    quarantine_share: float = Field(gt=0, le=1)
    quarantine_from_rows: int = Field(gt=0)
    coverage_from_rows: int = Field(gt=0)
    mix_shift: float = Field(gt=0, le=1)
    mix_from_rows: int = Field(gt=0)
    coverage: dict[str, float] = Field(default_factory=dict)


class XmlShape(_Part):
    """Where the records of an XML feed are, and which of its parts repeat."""

    root: str
    record: str
    collection: str
    collection_is: str
    episode: str
    sub_episodes: list[str]


class Ignored(_Part):
    """A known part of an XML feed that is read past and never stored (N3)."""

    element: str
    why: str = Field(min_length=10)


class Contract(_Part):
    """The contract of one feed and version; `id` is what a manifest must name."""

    feed: str = Field(pattern=r"^[a-z_]+$")
    version: int = Field(gt=0)
    partner: str
    summary: str
    format: Literal["csv", "xml"]
    limits: Limits
    drift: Drift
    columns: list[Column] = Field(min_length=1)
    rules: list[Rule] = Field(default_factory=list)
    xml: XmlShape | None = None
    ignored: list[Ignored] = Field(default_factory=list)

    @property
    def id(self) -> str:
        """`<feed>/<version>`."""
        return f"{self.feed}/{self.version}"

    @property
    def names(self) -> list[str]:
        """Column names in contract order."""
        return [column.name for column in self.columns]

    @property
    def kept(self) -> list[Column]:
        """The columns the purpose needs, in contract order (N3)."""
        return [column for column in self.columns if column.keep]

    @property
    def dropped(self) -> dict[str, str]:
        """What is not kept, column (or XML element) → reason (N3)."""
        columns = {column.name: column.why for column in self.columns if not column.keep}
        return columns | {part.element: part.why for part in self.ignored}

    @property
    def identifiers(self) -> list[Column]:
        """The columns holding an identifier that is checked and blanked when invalid."""
        return [column for column in self.columns if column.identifier]

    def column(self, name: str) -> Column:
        """The column called `name`. Raises KeyError."""
        return next(column for column in self.columns if column.name == name)

    def order(self, name: str | None) -> int:
        """Position of a column, for sorting violations; whole-row violations come first."""
        return -1 if name is None else self.names.index(name)
