"""Invented people in households for the scale benchmarks: names with a long tail, spouses, twins, namesakes, addresses.

Everything is drawn as numbers and looked up at the end, so that a million people take seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage.sandbox import names
from linkage.sandbox.identities import ninos

Ints = NDArray[np.int64]

# Adults, children, share of households (roughly the census).
_SHAPES = (
    (1, 0, 0.30),
    (2, 0, 0.28),
    (2, 1, 0.10),
    (2, 2, 0.14),
    (2, 3, 0.05),
    (1, 1, 0.06),
    (1, 2, 0.05),
    (3, 0, 0.02),
)
_BORN_FROM, _ADULTS_TO, _TODAY = (
    np.datetime64(day).astype(np.int64) for day in ("1932-01-01", "2003-01-01", "2021-01-01")
)
_NINO_FROM = np.datetime64("2005-01-01").astype(np.int64)  # younger ones have no number yet

_STEMS = """Ash Barn Beck Birch Black Brad Bram Brock Burn Cald Cars Chad Chil Clay Cob Cran Crow Dal Dar Den Dray Dun East
Eg El Fair Fen Fern Fox Gar Gill Glen Gold Graf Had Hag Hal Ham Har Hart Hat Hay Haw Heath Hen Hew Hil Hol Hor Hurst Ings
Kel Ken Kil Kirk Lan Lang Laver Led Lin Loft Mal Mar May Mel Mil Mor Nor North Oak Old Orm Os Over Pem Pen Pick Pit Pol
Quin Rad Ram Rams Red Ren Rip Rock Ros Row Rus San Sel Sher Ship Sil Skel Stan Stap Stock Sut Swin Tad Thorn Til Tor Tut
Und Up Wain Wal War Wat Way Wes Whit Wil Win Wood Wool Wyn Yar York"""
_ENDINGS = """acre all am ard bank beck bourne bridge brook burn bury by church cliffe combe cote croft dale den don er ers
ey field fold ford gate grave ham hatch head hill holme house hurst ing ington kin land ley low man mere mond more ness
over path pool ridge right royd scott shaw side son sop stead stock stone stow ter thorpe ton ward water way well wick
wood worth yard"""
_KINDS = "Road Street Avenue Lane Close Drive Gardens Court Crescent Terrace Grove Place Way"
_AREAS = """AL B BA BB BD BH BL BN BR BS CA CB CF CH CM CO CR CT CV CW DA DE DH DL DN DT DY E EN EX FY GL GU HA HD HG HP HR
HU HX IG IP KT L LA LD LE LL LN LS LU M ME MK N NE NG NN NP NR NW OL OX PE PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP
SR SS ST SW SY TA TF TN TQ TR TS TW UB W WA WD WF WN WR WS WV YO"""
_UNIT = np.array([a + b for a, b in product("ABDEFGHJLNPQRSTUWXYZ", repeat=2)])

_STREET, _POSTCODE, _TOWN, _SECTOR = (
    40,
    16,
    4000,
    60,
)  # homes on a street, to a postcode, in a town; postcodes to a sector


@dataclass(frozen=True)
class Pool:
    """Names, and the cumulative share of people who bear each."""

    names: pl.Series
    steps: NDArray[np.float64]

    def draw(self, rng: np.random.Generator, size: int) -> Ints:
        """Places in `names`."""
        return np.searchsorted(self.steps, rng.random(size)).clip(0, len(self.names) - 1).astype(np.int64)

    def alike(self) -> float:
        """The chance that two people drawn bear one name."""
        return float((np.diff(self.steps, prepend=0.0) ** 2).sum())


def _pool(listed: dict[str, float], tail: list[str], tail_share: float, steepness: float) -> Pool:
    """The `listed` names by weight, and for `tail_share` of people names of the tail, Zipf-like."""
    tail = [name for name in tail if name not in listed]
    weight = np.array(list(listed.values()))
    zipf = 1.0 / np.arange(20, len(tail) + 20) ** steepness
    shares = np.concatenate([weight / weight.sum() * (1 - tail_share), zipf / zipf.sum() * tail_share])
    return Pool(pl.Series([*listed, *tail]), np.cumsum(shares))


def _national(kind: str) -> dict[str, float]:
    """The kept lists with the weights of a whole country: the commonest origin counts for four in five."""
    told: dict[str, float] = {}
    for place, origin in enumerate(names.ORIGINS):
        share = 0.8 if place == 0 else 0.2 * origin.share / (1 - names.ORIGINS[0].share)
        listed = getattr(origin, kind)
        zipf = 1.0 / np.arange(2, len(listed) + 2) ** 0.8
        for name, weight in zip(listed, zipf / zipf.sum(), strict=True):
            told[name] = told.get(name, 0.0) + share * float(weight)
    return told


@cache
def surnames() -> Pool:
    """Some 9,000 surnames; Smith is the name of one person in 70, and two people share a surname with chance 1 in 750."""
    tail = [stem + ending for stem, ending in product(_STEMS.split(), _ENDINGS.split())]
    np.random.default_rng(11).shuffle(tail)
    return _pool(_national("surnames"), tail, 0.70, 0.6)


@cache
def forenames(gender: str) -> Pool:
    """Some 900 forenames of one gender; two people of that gender share one with a chance near 1 in 95."""
    listed = pl.read_csv(files("linkage.identifiers").joinpath("forenames.csv").read_bytes())["name"]
    tail = listed.str.to_titlecase().to_list()
    np.random.default_rng(12).shuffle(tail)
    # The list does not say whose names they are; each is given to one gender.
    return _pool(_national("female" if gender == "F" else "male"), tail[gender == "F" :: 2], 0.30, 0.5)


def people(rng: np.random.Generator, size: int, first: int, seed: int) -> pl.DataFrame:
    """`size` people of whole households, serials from `first`: what a register would hold, and what may replace it.

    Columns: serial, household, forename, surname, date_of_birth (Date), gender, home, nino, other_surname, new_home.
    """
    adult_counts, child_counts, shares = (np.array(column) for column in zip(*_SHAPES, strict=True))
    drawn = rng.choice(len(shares), size, p=shares)
    shape = np.stack([adult_counts[drawn], child_counts[drawn]], axis=1)
    members = shape.sum(axis=1)
    household = np.repeat(np.arange(size), members)[:size]
    place = (np.arange(len(household)) - np.repeat(np.cumsum(members) - members, members)[:size]).astype(np.int64)
    adults = shape[household, 0]
    adult = place < adults
    born = _born(rng, household, place, adults, shape[:, 1])
    female = _female(rng, household, place, adults)
    forename = _forenames(rng, household, place, adult, female, adults)
    family, other = surnames().draw(rng, size)[household], surnames().draw(rng, size)
    # A second adult keeps the other name in a third of couples; people who merely share a home always do.
    own = (place > 0) & adult & ((rng.random(size)[household] < 0.35) | (adults == 3))
    serial = np.arange(first, first + size, dtype=np.int64)
    homes = first * 2 + household  # twice as many homes as people: room to move
    # Every other household that moves takes a home that another one lives in, or has just left.
    taken = first * 2 + (household + 7_919) % (household[-1] + 1)
    return pl.DataFrame(
        {
            "serial": serial,
            "household": household,
            "forename": forename,
            "surname": surnames().names.gather(np.where(own, other, family)),
            "date_of_birth": pl.Series(born.astype(np.int32)).cast(pl.Date),
            "gender": pl.Series(["M", "F"]).gather(female.astype(np.int64)),
            "home": homes,
            "nino": pl.Series(ninos(serial, seed).tolist(), dtype=pl.String).set(pl.Series(born >= _NINO_FROM), None),
            "other_surname": surnames().names.gather(surnames().draw(rng, size)),
            "new_home": np.where(household % 2 == 0, taken, homes + size),
        }
    )


def _born(rng: np.random.Generator, household: Ints, place: Ints, adults: Ints, children: Ints) -> Ints:
    """Days since 1970. Couples are near in age; parents are 20 to 44 years older than the eldest; some are twins."""
    size = len(household)
    head = rng.integers(_BORN_FROM, _ADULTS_TO, size)
    parent = children[household] > 0
    head = np.where(children > 0, rng.integers(_TODAY - 56 * 365, _TODAY - 25 * 365, size), head)[household]
    spouse = np.clip(head + rng.integers(-5 * 365, 5 * 365, size), _BORN_FROM, _ADULTS_TO)
    latest = np.minimum(head + 40 * 365, _TODAY - 4 * 365)
    eldest = head + 20 * 365 + (rng.random(size)[household] * (latest - head - 20 * 365)).astype(np.int64)
    between = 300 + rng.random(size)[household] * (np.minimum((_TODAY - eldest) / 3, 1_500) - 300)
    order = place - adults
    twins = (rng.random(size)[household] < 0.03) & (order == 1)
    child = eldest + np.where(twins, 0, order * between).astype(np.int64)
    born = np.where(place == 0, head, np.where((adults == 3) & ~parent, rng.permutation(head), spouse))
    return np.where(place < adults, born, child).astype(np.int64)


def _female(rng: np.random.Generator, household: Ints, place: Ints, adults: Ints) -> NDArray[np.bool_]:
    size = len(household)
    drawn = rng.random(size) < 0.5
    head = drawn[np.maximum(np.arange(size) - 1, 0)]
    return np.where((place == 1) & (adults == 2) & (rng.random(size) < 0.96), ~head, drawn)


def _forenames(
    rng: np.random.Generator,
    household: Ints,
    place: Ints,
    adult: NDArray[np.bool_],
    female: NDArray[np.bool_],
    adults: Ints,
) -> pl.Series:
    """Forenames, no two alike in a household, but for one son in fifty who bears his father's."""
    women, men = forenames("F"), forenames("M")

    def drawn(which: NDArray[np.bool_]) -> Ints:
        return np.where(which, women.draw(rng, len(which)), men.draw(rng, len(which)) + len(women.names))

    chosen = drawn(female)
    for _ in range(4):
        code = pl.Series(household * 100_000 + chosen)
        again = (~code.is_first_distinct()).to_numpy()
        chosen[again] = drawn(female[again])
    father = np.arange(len(household)) - np.where(place >= adults, place - np.minimum(adults - 1, 1), 0)
    father = np.maximum(father, 0)
    son = (place == adults) & ~female & ~adult & ~female[father] & (rng.random(len(household)) < 0.02)
    chosen[son] = chosen[father[son]]
    return pl.concat([women.names, men.names]).gather(chosen)


def addresses(homes: pl.Series) -> tuple[pl.Series, pl.Series, pl.Series]:
    """First line, town and postcode of home numbers (nulls stay null); neighbours share street and postcode."""
    known = homes.fill_null(0).to_numpy().astype(np.int64)
    street, number = known // _STREET, known % _STREET
    stems, endings, kinds, areas = (pl.Series(text.split()) for text in (_STEMS, _ENDINGS, _KINDS, _AREAS))
    mixed = street * 2_654_435_761 % 4_294_967_296  # so that streets with one name lie in different towns
    town = known // _TOWN * 40_503 % 65_536
    postcode = known // _POSTCODE
    sector = postcode // _SECTOR * 7_919 % (len(areas) * 180)
    frame = pl.DataFrame(
        {
            "stem": stems.gather(mixed % len(stems)),
            "ending": endings.gather(mixed // 1_000 % len(endings)),
            "kind": kinds.gather(mixed // 100_000 % len(kinds)),
            "number": number // np.where(street % 5 == 0, 4, 1) + 1,
            "flat": np.where(street % 5 == 0, number % 4 + 1, 0),  # every fifth street is of houses with four flats
            "town_stem": stems.gather(town % len(stems)),
            "town_ending": endings.gather(town // len(stems) % len(endings)),
            "area": areas.gather(sector % len(areas)),
            "district": sector // len(areas) // 9 + 1,
            "sector": sector // len(areas) % 9 + 1,
            "unit": pl.Series(_UNIT).gather(postcode % _SECTOR * 6 + postcode // _SECTOR % 6),
        }
    )
    line = pl.format("{} {}{} {}", "number", "stem", "ending", "kind")
    told = frame.select(
        address=pl.when(pl.col("flat") > 0).then(pl.format("Flat {}, {}", "flat", line)).otherwise(line),
        town=pl.col("town_stem") + pl.col("town_ending"),
        postcode=pl.format("{}{} {}{}", "area", "district", "sector", "unit"),
    )
    absent = homes.is_null()
    return told["address"].set(absent, None), told["town"].set(absent, None), told["postcode"].set(absent, None)
