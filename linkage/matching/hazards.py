"""People who look alike on paper and are not one person: twins, a parent's namesake, spouses, siblings.

Members of a household share surname, address and sometimes date of birth or forename, so independent weights would
merge them. A pair that a household could explain is refused unless the National Insurance number speaks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from linkage.matching.at_once import at_once
from linkage.matching.joins import alike
from linkage.matching.levels import Comparison
from linkage.matching.patterns import Flags, Patterns
from linkage.matching.sides import Side, mixed
from linkage.tokens.rules import Rules, field_key

_EXCESS = 3.0  # standard deviations
_PLACES = ("address.exact", "postcode.exact")


def hazard(compared: Comparison, patterns: Patterns, sides: tuple[Side, Side], rules: Rules) -> Flags:
    """Which patterns must not be linked because a household explains them as well as identity does."""
    forename, birth, surname = _forename(compared), compared.at("dob", "exact", "near"), compared.agrees("surname")
    no_forename, no_birth = compared.missing("forename"), compared.missing("dob") & ~compared.other_year
    swapped, crossed = compared.at("forename", "swapped"), compared.at("forename", "crossed")
    place = compared.at("postcode", "exact", "near") | compared.agrees("address")
    # A number may stand on a relative's record too: it needs the forename or the very date beside it.
    dated = compared.at("dob", "exact") & ~compared.differs("gender")
    numbered = compared.at("nino", "exact") & (forename | crossed | dated | (no_forename & no_birth & surname))
    # Two different numbers are two people unless name and date are right: an alike name alone is a twin's.
    same_number = ~compared.differs("nino")
    named = forename & (compared.at("forename", "exact", "variant", "swapped") | same_number)
    ordinary = (
        (named & birth)
        | (crossed & birth & place & same_number)
        | (no_forename & birth & surname & place & same_number & ~compared.differs("initial"))
        | (no_birth & named & (surname | swapped) & place & same_number)
    )
    twin = ~forename & ~crossed & ~no_forename & birth & (surname | compared.missing("surname"))
    namesake = ~birth & ~no_birth & forename & (surname | swapped)
    safe = numbered | ordinary
    left, right = at_once(*(partial(_homes_of, side, rules) for side in sides))
    homes = {place: [left[place], right[place]] for place in _PLACES}
    if not _without_households(homes, rules):
        return ~safe
    # Files without households have no twins, namesakes or spouses to confuse, and the weights alone may decide;
    # unless one of those kinds of pair turns up too often to be slips of the pen.
    plain = forename & (birth | no_birth) & surname
    spouse = ~forename & ~crossed & ~birth & surname
    contradicted = compared.differs("gender")
    for kind, by_chance in ((twin, 0.0), (namesake, 0.0), (spouse, _together_by_chance(homes))):
        if _in_excess(kind & place, plain & place, compared, patterns, by_chance):
            contradicted |= kind
    return ~safe & contradicted


def _forename(compared: Comparison) -> Flags:
    """Which patterns share the forename; where the gender differs, only as the same or an equivalent name."""
    alike = compared.at("forename", "near", "sound") & ~compared.differs("gender")
    return compared.at("forename", "exact", "variant", "swapped") | alike


def _without_households(homes: dict[str, list[_Homes | None]], rules: Rules) -> bool:
    """Whether both files are large enough to judge and hold hardly more people of one surname at one place than chance.

    The places are the address and the postcode, whichever a file has.
    """
    for side in zip(*homes.values(), strict=True):
        known = [one for one in side if one and one.people >= rules.decide.household_people]
        if not known or not all(one.strangers(rules.decide.household_pairs) for one in known):
            return False
    return True


def _together_by_chance(homes: dict[str, list[_Homes | None]]) -> float:
    """How many pairs across the files are strangers who share surname and place: the place that tells most."""
    counted = []
    for left, right in homes.values():
        if left and right and left.people > 1 and right.people > 1:
            within = sum(one.people * (one.people - 1) / 2 for one in (left, right))
            counted.append((left.by_chance + right.by_chance) / within * left.people * right.people)
    return min(counted, default=0.0)


@dataclass(frozen=True)
class _Homes:
    """A file's people who have a surname and a place: how many, pairs of them together, and pairs chance would bring."""

    people: int
    together: float
    by_chance: float

    def strangers(self, allowed: float) -> bool:
        """Whether hardly more are together than chance explains: at most `allowed` pairs per person more."""
        slack = _EXCESS * float(np.sqrt(self.by_chance + 1.0)) + allowed * self.people
        return self.together <= self.by_chance + slack


def _homes_of(side: Side, rules: Rules) -> dict[str, _Homes | None]:
    return {place: _homes(side, place, rules) for place in _PLACES}


def _homes(side: Side, place: str, rules: Rules) -> _Homes | None:
    """None for a side without such tokens."""
    names = [field_key(part) for part in ("surname.exact", place)]
    if any(name not in rules.names or not side.holds(rules.names.index(name)) for name in names):
        return None
    surname, home = (side.relation(rules.names.index(name)) for name in names)
    rows, token = surname.spread(np.arange(len(side.ids), dtype=np.int64))
    again, other = home.spread(rows)
    pairs = max(len(again) * (len(again) - 1) / 2, 1.0)
    token = token[again]
    return _Homes(len(again), alike(mixed(token, other)), alike(token) * alike(other) / pairs)


def _in_excess(odd: Flags, plain: Flags, compared: Comparison, patterns: Patterns, by_chance: float) -> bool:
    """Whether `odd` pairs gather where everything else agrees to the letter: relatives do, slips of the pen do not.

    Errors fall on identifiers independently, so the odd pairs' share should be the same whether or not the address
    has an error of its own; relatives share the address exactly. `by_chance`: strangers who share name and place.
    """
    same = compared.at("surname", "exact") & ~(compared.missing("postcode") & compared.missing("address"))
    for place in ("postcode", "address"):
        same &= compared.at(place, "exact") | compared.missing(place)

    def pairs(kind: Flags) -> float:
        return float(patterns.count[kind].sum())

    elsewhere = max(pairs(odd & ~same), 1.0)
    expected = pairs(plain & same) * elsewhere / max(pairs(plain & ~same), 1.0)
    # The expectation is itself counted, from few pairs.
    spread = float(np.sqrt(by_chance + expected + expected**2 / elsewhere + 1.0))
    return pairs(odd & same) > by_chance + expected + _EXCESS * spread
