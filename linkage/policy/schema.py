"""The shape of a programme file: what governance may write, and what each part means."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

DEPARTMENTS = ("dwp", "moj", "dfe")
"""The departments whose records are joined: N7 names these three and nobody else."""

Cites = Annotated[list[str], Field(default_factory=list)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProgrammeHead(_Part):
    """Name, authority and dates of the programme."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    authority: str
    controller: str
    opens: date
    closes: date
    study_window: tuple[date, date]
    key_version: int = Field(ge=1)
    criteria: str = Field(default="early_help_2015", pattern=r"^[a-z][a-z0-9_]*$")  # the file of policy/ for N2


class Authority(_Part):
    """A further authority of the programme: its own store may do what `authority` may, and nothing of another's."""

    store: str = Field(pattern=r"^authority-[a-z0-9]+$")


class Wave(_Part):
    """One submission of the cohort (N8): the days its returns speak of (default the programme's), who submits (all)."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    submit_on: date
    study_window: tuple[date, date] | None = None
    authorities: list[str] | None = None


class Spend(_Part):
    """What an authority's programme cost over the study window: a public figure, no family's."""

    authority: str = Field(pattern=r"^[a-z][a-z-]{2,39}$")
    pounds: int = Field(gt=0)
    source: str


class Sweep(_Part):
    """How often destruction runs, and how far ahead it looks (D6)."""

    every_hours: int = Field(ge=1, le=24)
    margin_hours: int = Field(ge=1, le=72)
    snapshot_days: int = Field(default=0, ge=0)  # how long a snapshot of the key service may live; 0: none is made (D7)
    cites: Cites


class Exchange(_Part):
    """How long a sender waits for the recipient's receipt before it sends again, and before a person is told."""

    resend_after_hours: int = Field(default=24, ge=1)
    alert_after_hours: int = Field(default=72, ge=1)
    cites: Cites


class Store(_Part):
    """A set of buckets, keys and credentials of one role at one holder."""

    holder: Literal["authority", "ons", "dwp", "moj", "dfe", "mhclg"]
    role: str


class Retention(_Part):
    """A destruction rule."""

    kind: Literal["one_month", "programme", "days", "months", "superseded", "never"]
    target_days: int | None = None
    target_hours_before: int | None = None
    days: int | None = None
    months: int | None = None
    at_most_months: int | None = None
    reclassified_by: str | None = None
    cites: Annotated[list[str], Field(min_length=1)]


class DatasetClass(_Part):
    """A class of data: where it may lie and which rule destroys it (D5)."""

    stores: Annotated[list[str], Field(min_length=1)]
    retention: str
    personal: bool = True
    identifiers: bool = False
    attributes: bool = False
    within_programme: bool = False  # made from the cohort: never outlives the programme, whatever its own rule (D4)


class Flow(_Part):
    """A permitted transfer: sender, recipient, lawful basis and the columns that may travel (N3, N17)."""

    sender: str
    recipient: str
    via: str | None = None
    dataset: str
    basis: str = Field(min_length=8)
    columns: list[str] | None = None
    columns_of: str | None = None  # a department, for a return: the widest it may be, by its schema (N7)
    variables: list[str] | None = None  # of that schema, those the programme asks for; default all (N3)
    token_kinds: list[Literal["compound", "field"]] = []
    cites: Annotated[list[str], Field(min_length=1)]


class ProgrammeFile(_Part):
    """A whole programme file."""

    programme: ProgrammeHead
    authority: dict[str, Authority] = {}
    wave: list[Wave]
    spend: list[Spend] = []
    sweep: Sweep
    exchange: Exchange = Exchange(cites=[])
    store: dict[str, Store]
    retention: dict[str, Retention]
    dataset: dict[str, DatasetClass]
    flow: dict[str, Flow]
