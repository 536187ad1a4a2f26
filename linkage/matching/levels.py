"""What a pair's agreeing match-keys say about each identifier: its best level of agreement, or that it differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from linkage.matching.patterns import Flags, Masks
from linkage.tokens.rules import Component, Rules, field_key

Levels = NDArray[np.int8]
MISSING: Final = -1  # one of the two has no such identifier
# Levels that a fragment of an identifier can show: someone with only these has not given the identifier itself.
_FRAGMENTS: Final = ("partial", "year", "sector", "triple", "street", "pair", "word")
UNSHOWN: Final = -2  # both have it, and no match-key could tell: neither agreement nor difference is evidence


@dataclass(frozen=True)
class Comparison:
    """For each component (in the policy file's order) each pair's level: 0 is best, `len(levels)` is differs."""

    components: tuple[Component, ...]
    levels: tuple[Levels, ...]
    absent: tuple[Flags, ...]
    other_year: Flags  # both dates of birth show a year, and not the same one

    def of(self, component: str) -> Levels:
        """The levels of one component."""
        return self.levels[self._place(component)]

    def at(self, component: str, *names: str) -> Flags:
        """Which pairs agree on the component at one of the named levels."""
        ladder = self.components[self._place(component)].levels
        return np.isin(self.of(component), [ladder.index(name) for name in names])

    def agrees(self, component: str) -> Flags:
        """Which pairs agree on the component at any level."""
        place = self._place(component)
        return (self.levels[place] >= 0) & (self.levels[place] < len(self.components[place].levels))

    def missing(self, component: str) -> Flags:
        """Which pairs lack the whole identifier on one side or both, and what there is of it does not differ."""
        return self.absent[self._place(component)] & ~self.differs(component)

    def differs(self, component: str) -> Flags:
        """Which pairs are shown to differ on the component."""
        place = self._place(component)
        return np.asarray(self.levels[place] == len(self.components[place].levels))

    def _place(self, component: str) -> int:
        return [one.name for one in self.components].index(component)


def compare(agree: Masks, both: Masks, rules: Rules) -> Comparison:
    """Levels of agreement per component, from the match-keys that agree and those that could have and do not.

    A compound match-key that both people have, whose other parts agree, and that itself does not agree, shows that
    the remaining part differs: this is how tokens of several parts give evidence on each.
    """
    shown = {one.name: _best(one, agree, rules) for one in rules.components}
    absent = {one.name: ~_any(both, _bits_of(rules, one.name)) for one in rules.components}
    levels = {name: level.copy() for name, level in shown.items()}
    for one in rules.components:
        level = levels[one.name]
        level[(level == UNSHOWN) & _witnessed(one.name, shown, both & ~agree, rules)] = len(one.levels)
        level[(level == UNSHOWN) & absent[one.name]] = MISSING
    _names(levels, agree, rules)
    return Comparison(rules.components, tuple(levels.values()), tuple(absent.values()), _other_year(agree, both, rules))


def _other_year(agree: Masks, both: Masks, rules: Rules) -> Flags:
    """An impossible date is no date, but its year still tells a father from a son."""
    same = _any(agree, _bits_of(rules, "dob", "exact") | _bits_of(rules, "dob", "near"))
    year = np.uint64(sum(1 << place for place, key in enumerate(rules.match_keys) if key.name == field_key("dob.year")))
    return _any(both, year) & ~_any(agree, year) & ~same


def _best(one: Component, agree: Masks, rules: Rules) -> Levels:
    level = np.full(len(agree), UNSHOWN, dtype=np.int8)
    for rank in reversed(range(len(one.levels))):
        level[_any(agree, _bits_of(rules, one.name, one.levels[rank]))] = rank
    return level


def _names(levels: dict[str, Levels], agree: Masks, rules: Rules) -> None:
    """What the names need beyond single levels: known forenames, swapped names, bare initials."""
    ladder = {one.name: one.levels for one in rules.components}["forename"]
    forename, surname, initial = levels["forename"], levels["surname"], levels["initial"]
    last = len({one.name: one.levels for one in rules.components}["surname"])
    near, sound, swapped, crossed = (ladder.index(level) for level in ("near", "sound", "swapped", "crossed"))
    # Two forenames of the kept list that are merely alike (MIA and TIA, SOPHIE and ZOFIA) are two names, not a slip:
    # the list says which ones stand for each other.
    known = _any(agree, _bits_of(rules, "known"))
    forename[((forename == near) | (forename == sound)) & known] = len(ladder)
    # Swapped names are one observation of both names; it counts once, under the forename.
    surname[forename == swapped] = MISSING
    # Where neither name agrees, one of them may still have changed places and the other have been replaced.
    either = _any(agree, _bits_of(rules, "names", "either")) & _differs(forename, len(ladder)) & _differs(surname, last)
    forename[either], surname[either] = crossed, MISSING
    # An initial says something only where there is no forename to compare.
    initial[forename != MISSING] = MISSING


def _differs(level: Levels, differs: int) -> Flags:
    """Which pairs show no agreement: they differ, or one of the two lacks the name."""
    return np.asarray((level == differs) | (level == MISSING) | (level == UNSHOWN))


def _witnessed(component: str, shown: dict[str, Levels], against: Masks, rules: Rules) -> Flags:
    """Pairs for which some match-key with this component does not agree although all its other parts do."""
    told = np.zeros(len(against), dtype=np.bool_)
    ladders = {one.name: one.levels for one in rules.components}
    for place, key in enumerate(rules.match_keys):
        if component not in {part.component for part in key.parts}:
            continue
        if any(part.component not in ladders for part in key.parts):
            continue
        witness = _any(against, np.uint64(1) << np.uint64(place))
        for part in key.parts:
            if part.component != component:
                level = shown[part.component]
                witness &= (level >= 0) & (level <= ladders[part.component].index(part.level))
        told |= witness
    return told


def _bits_of(rules: Rules, component: str, level: str | None = None) -> np.uint64:
    """The match-keys that speak of a component (at a level), as bits. Swapped names speak of the forename."""
    bits = 0
    for place, key in enumerate(rules.match_keys):
        for part in key.parts:
            swapped = part.name == "names.swapped" and component == "forename"
            # Presence (no level asked) is not read from swapped names: they need both names.
            if swapped and level == "swapped":
                bits |= 1 << place
            elif part.component == component:
                asked = part.level not in _FRAGMENTS if level is None else part.level == level
                bits |= asked << place
    return np.uint64(bits)


def _any(masks: Masks, bits: np.uint64) -> Flags:
    return np.asarray((masks & bits) != 0)
