"""People who look alike on paper and are not one person: twins, a parent's namesake, spouses, siblings.

Members of a household share surname, address and sometimes date of birth or forename, so independent weights would
merge them. A pair that a household could explain is refused unless the National Insurance number speaks for it.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from linkage.matching.levels import Comparison, Flags
from linkage.matching.pairs import Side
from linkage.tokens.rules import Rules, field_key

_EXCESS = 3.0  # standard deviations


def hazard(compared: Comparison, sides: tuple[Side, Side], rules: Rules) -> Flags:
    """Which pairs must not be linked because a household explains them as well as identity does."""
    forename, birth, surname = _forename(compared), compared.at("dob", "exact", "near"), compared.agrees("surname")
    no_forename, no_birth = compared.missing("forename"), compared.missing("dob")
    swapped = compared.at("forename", "swapped")
    place = compared.at("postcode", "exact", "near") | compared.agrees("address")
    # A number may stand on a relative's record too: it needs the forename or the date beside it.
    numbered = compared.at("nino", "exact") & (forename | birth | (no_forename & no_birth & surname))
    ordinary = (
        (forename & birth)
        | (no_forename & birth & surname & place & ~compared.differs("initial"))
        | (no_birth & forename & (surname | swapped) & place)
    )
    twin = ~forename & ~no_forename & birth & (surname | compared.missing("surname"))
    namesake = ~birth & ~no_birth & forename & (surname | swapped)
    safe = numbered | ordinary
    if not _without_households(sides, rules):
        return ~safe
    # Files without households have no twins, namesakes or spouses to confuse, and the weights alone may decide;
    # unless one of those kinds of pair turns up too often to be slips of the pen.
    plain = forename & birth & surname
    spouse = ~forename & ~birth & surname
    contradicted = compared.differs("gender")
    for kind in (twin, namesake, spouse):
        if _in_excess(kind & place, plain & place, compared):
            contradicted |= kind
    return ~safe & contradicted


def _forename(compared: Comparison) -> Flags:
    """Which pairs share the forename; where the gender differs, only as the same or an equivalent name."""
    alike = compared.at("forename", "near", "sound") & ~compared.differs("gender")
    return compared.at("forename", "exact", "variant", "swapped") | alike


def _without_households(sides: tuple[Side, Side], rules: Rules) -> bool:
    """Whether both files are large enough to judge and hold (next to) no two people of one surname at one address."""
    names = [field_key("surname.exact"), field_key("address.exact")]
    if any(name not in rules.names for name in names):
        return False
    keys = [rules.names.index(name) for name in names]
    for side in sides:
        surname, address = (side.tokens.filter(pl.col("key") == key).select("person", "token") for key in keys)
        shown = surname.join(address, on="person", suffix="_address")
        if len(shown) < rules.decide.household_people:
            return False
        together = shown.group_by("token", "token_address").len("people")["people"].cast(pl.Float64)
        if float((together * (together - 1)).sum()) / 2 > rules.decide.household_pairs * len(shown):
            return False
    return True


def _in_excess(odd: Flags, plain: Flags, compared: Comparison) -> bool:
    """Whether `odd` pairs gather where everything else agrees to the letter: relatives do, slips of the pen do not.

    Errors fall on identifiers independently, so the odd pairs' share should be the same whether or not the address
    has an error of its own; relatives share the address exactly.
    """
    same = compared.at("postcode", "exact") & (compared.at("address", "exact") | compared.missing("address"))
    same &= compared.at("surname", "exact")
    odd_same, odd_other = float((odd & same).sum()), float((odd & ~same).sum())
    plain_same, plain_other = float((plain & same).sum()), float((plain & ~same).sum())
    expected = plain_same * odd_other / max(plain_other, 1.0)
    return odd_same > expected + _EXCESS * float(np.sqrt(expected + 1.0))
