"""Addresses of a south London borough: invented streets, shared postcodes, flats, and a UPRN for each dwelling."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
from numpy.typing import NDArray

from linkage.sandbox.columns import text_column
from linkage.sandbox.identities import digits, spread

Ints = NDArray[np.int64]

_WORDS = """Acre Angell Bellefield Brockwell Canterbury Clapham Coldharbour Cornwall Crownstone Dalberg Effra Fentiman
Ferndale Gipsy Hackford Herne Josephine Kellett Landor Larkhall Leander Loughborough Milkwood Myatts Norwood Overton
Pulross Railton Rattray Rosendale Saltoun Shakespeare Solon Stockwell Sudbourne Tulse Upstall Vassall Wiltshire Wynne"""
_KINDS = "Road Street Avenue Lane Close Gardens Terrace Grove Place"
_STREETS = np.array([f"{word} {kind}" for kind, word in product(_KINDS.split(), _WORDS.split())], dtype=object)
_DISTRICTS = np.array(["SE1", "SE5", "SE11", "SE24", "SE27", "SW2", "SW4", "SW8", "SW9", "SW16"], dtype=object)
_UNIT = "ABDEFGHJLNPQRSTUWXYZ"  # letters the second half of a postcode uses
_UNITS = np.array([a + b for a, b in product(_UNIT, _UNIT)], dtype=object)
_NUMBERS = 160  # house numbers on a street
_FLATS = 4  # 0 is the whole house
_BLOCK = 20  # house numbers that share a postcode

DWELLINGS = _STREETS.size * _NUMBERS * _FLATS
_UPRN_BASE = 100_021_000_000


def draw_dwellings(rng: np.random.Generator, size: int) -> Ints:
    """`size` dwelling ids, seven in ten of them whole houses; repeats are possible, as in life."""
    house = rng.integers(0, _STREETS.size * _NUMBERS, size)
    flat = np.where(rng.random(size) < 0.7, 0, rng.integers(1, _FLATS, size))
    return np.asarray(house * _FLATS + flat, dtype=np.int64)


def distinct_dwellings(serials: Ints, seed: int) -> Ints:
    """One dwelling per serial, no two alike."""
    return spread(serials, DWELLINGS, seed)


def dwelling_columns(dwellings: pl.Series) -> list[pl.Series]:
    """The `address`, `postcode` and `uprn` text columns of dwelling ids (nulls stay null)."""
    known = dwellings.fill_null(0).to_numpy()
    flat, house = known % _FLATS, known // _FLATS
    number, street = house % _NUMBERS, house // _NUMBERS
    plain = digits(number + 1, 1) + " " + _STREETS[street]
    address = np.where(flat > 0, "Flat " + digits(flat, 1) + ", " + plain, plain)
    block = street * (_NUMBERS // _BLOCK) + number // _BLOCK
    district, within = street % _DISTRICTS.size, block // _DISTRICTS.size
    postcode = _DISTRICTS[district] + " " + digits(within % 9 + 1, 1) + _UNITS[(within * 37 + block) % _UNITS.size]
    uprn = digits(_UPRN_BASE + known, 12)
    absent = dwellings.is_null()
    return [
        pl.select(pl.when(~absent).then(text_column(name, values)).alias(name)).to_series()
        for name, values in (("address", address), ("postcode", postcode), ("uprn", uprn))
    ]
