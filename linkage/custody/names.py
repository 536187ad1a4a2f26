"""What things are called in the stores and the key service: holdings, their parts, and one key for each destruction date."""

from __future__ import annotations

import secrets
from datetime import date, datetime

from linkage.clock import LONDON
from linkage.custody.models import Holding


def new_id() -> str:
    """A fresh holding id; random, so that it says nothing."""
    return f"hld_{secrets.token_hex(16)}"


def part_key(holding: Holding, part: int) -> str:
    """Object name of a part (from 1) of a held holding."""
    return f"{holding.prefix}{holding.attempt}/{part:05d}"


def kek_date(target: datetime | None) -> date | None:
    """The London date that names the key-encryption key; None for data no rule destroys."""
    return target.astimezone(LONDON).date() if target else None


def kek_name(store: str, target: datetime | None) -> str:
    """Name of the key-encryption key of a store for a target: one for each destruction date."""
    day = kek_date(target)
    return f"{store}.{day:%Y%m%d}" if day else f"{store}.kept"
