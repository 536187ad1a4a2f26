"""Numbers people carry, valid by their check digits and never repeated: NINO, NHS number, UPN, UPRN.

Each function turns a person's serial number into an identifier by a bijection that the seed chooses, so that equal
serials give equal identifiers and different serials never collide, without any look-up.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Texts = NDArray[np.object_]

_FIRST = "ABCEGHJKLMNOPRSTWXYZ"  # D F I Q U V are never used
_SECOND = "ABCEGHJKLMNPRSTWXYZ"  # O besides never comes second
_NEVER = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ", "CR", "FY", "MW", "NC"}
_PREFIXES = np.array([a + b for a, b in product(_FIRST, _SECOND) if a + b not in _NEVER], dtype=object)
_UPN_LETTERS = np.array(list("ABCDEFGHJKLMNPQRTUVWXYZ"), dtype=object)
_AUTHORITY = 208  # the borough's DfE number
_NHS_BASE = 999_000_000  # 999 is the range kept for test numbers: no patient has one


def spread(serials: Ints, space: int, seed: int) -> Ints:
    """A bijection of [0, space): serial -> (serial x unit + shift) mod space, unit and shift chosen by `seed`."""
    rng = np.random.default_rng([seed, space])
    unit = int(rng.integers(space // 3, space // 2 + 1))
    while np.gcd(unit, space) != 1:
        unit += 1
    shift = int(rng.integers(0, space))
    # Python's integers, where the product would pass 63 bits.
    wide = serials.astype(object) if space > 2**31 else serials
    return np.asarray((wide * unit + shift) % space, dtype=np.int64)


def ninos(serials: Ints, seed: int) -> Texts:
    """National Insurance numbers: an allocated-style prefix, six digits, suffix A to D (rules of HMRC NIM39110)."""
    number = spread(serials, len(_PREFIXES) * 1_000_000, seed)
    prefix = _PREFIXES[number // 1_000_000]
    suffix = np.array(list("ABCD"), dtype=object)[number % 4]
    return np.asarray(prefix + digits(number % 1_000_000, 6) + suffix, dtype=object)


def nhs_numbers(serials: Ints, seed: int) -> Texts:
    """NHS numbers valid by modulus 11, in the 999 test range; serials below 500,000."""
    # One body in eleven has no check digit. Bodies are even, so that the odd one above is free to stand in.
    body = _NHS_BASE + spread(serials, 500_000, seed) * 2
    check = _nhs_check(body)
    body = np.where(check == 10, body + 1, body)
    check = _nhs_check(body)
    return np.asarray(digits(body, 9) + digits(check, 1), dtype=object)


def _nhs_check(body: Ints) -> Ints:
    total = sum((body // 10**place % 10) * (place + 2) for place in range(9))
    return np.asarray((11 - total % 11) % 11, dtype=np.int64)


def upns(serials: Ints, birth_years: Ints, seed: int) -> Texts:
    """Unique pupil numbers: check letter, authority, establishment, entry year, serial (DfE UPN guide)."""
    number = spread(serials, 2_000_000, seed)
    establishment = 2000 + number // 1000
    digits12 = (_AUTHORITY * 10**9 + establishment * 10**5 + (birth_years + 5) % 100 * 10**3 + number % 1000).astype(
        np.int64
    )
    total = sum((digits12 // 10 ** (11 - place) % 10) * (place + 2) for place in range(12))
    return np.asarray(_UPN_LETTERS[total % 23] + digits(digits12, 12), dtype=object)


def digits(numbers: Ints, width: int) -> Texts:
    """Numbers as text, zero-filled to `width`."""
    return np.char.zfill(numbers.astype(str), width).astype(object)
