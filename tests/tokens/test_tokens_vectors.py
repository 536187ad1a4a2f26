"""The published token vectors, computed again from the documented construction (docs/tokens.md) with Python's hmac."""

from __future__ import annotations

import hmac
import itertools
import json
from collections.abc import Callable

import pytest

from linkage.errors import Misuse
from linkage.tokens import rules
from linkage.tokens.keys import PUBLISHED_ROOT, LinkageKey, published_key
from linkage.tokens.vectors import FILE, vectors

TOLD = json.loads(FILE.read_text(encoding="utf-8"))
Person = dict[str, str | None]


def expand(key: bytes, info: str) -> bytes:
    return hmac.digest(key, info.encode() + b"\x01", "sha256")


def deletions(text: str) -> set[str]:
    shorter = {text[:place] + text[place + 1 :] for place in range(min(len(text), 16))} if len(text) >= 4 else set()
    return {text} | shorter


def open_digits(date: str) -> set[str]:
    year, month, day = date.split("-")
    masked = {date[:place] + "?" + date[place + 1 :] for place in (3, 5, 6, 8, 9)}
    return masked | {"/".join([year, *sorted([month, day])])}


def runs(address: str, many: int) -> set[str]:
    words = address.split(" ")
    return {" ".join(words[place : place + many]) for place in range(len(words) - many + 1)}


def of(column: str, how: Callable[[str], set[str]] = lambda text: {text}) -> Callable[[Person], set[str]]:
    def texts(person: Person) -> set[str]:
        text = person[column]
        return set() if text is None else how(text)

    return texts


def both(*columns: str, join: Callable[[list[str]], set[str]]) -> Callable[[Person], set[str]]:
    def texts(person: Person) -> set[str]:
        held = [person[column] for column in columns]
        return set() if None in held else join([text for text in held if text is not None])

    return texts


def either(*columns: str) -> Callable[[Person], set[str]]:
    return lambda person: {text for column in columns if (text := person[column]) is not None}


def fragments(person: Person) -> set[str]:
    year, month, day = (person[f"birth_{name}"] for name in ("year", "month", "day"))
    pairs = {"YM": (year, month), "YD": (year, day), "MD": (month, day)}
    return {mark + one + other for mark, (one, other) in pairs.items() if one and other}


PARTS: dict[str, Callable[[Person], set[str]]] = {
    "forename.exact": of("forename"),
    "forename.variant": of("forename_variants", lambda text: set(text.split(" "))),
    "forename.near": of("forename", deletions),
    "forename.sound": of("forename_sound"),
    "initial.exact": of("forename_initial"),
    "known.exact": lambda person: {text} if (text := person["forename_known"] or person["forename"]) else set(),
    "surname.exact": of("surname"),
    "surname.near": of("surname", deletions),
    "surname.part": of("surname_parts", lambda text: set(text.split(" "))),
    "surname.sound": of("surname_sound"),
    "names.swapped": both("forename", "surname", join=lambda two: {"/".join(sorted(two))}),
    "names.either": either("forename", "surname"),
    "dob.exact": of("date_of_birth"),
    "dob.near": of("date_of_birth", open_digits),
    "dob.partial": fragments,
    "dob.year": of("birth_year"),
    "postcode.exact": of("postcode"),
    "postcode.near": of("postcode", deletions),
    "postcode.sector": of("postcode_sector"),
    "address.exact": both("house_number", "street", join=lambda two: {" ".join(two)}),
    "address.street": of("street"),
    "address.word": of("address", lambda text: runs(text, 1)),
    "address.pair": of("address", lambda text: runs(text, 2)),
    "address.triple": of("address", lambda text: runs(text, 3)),
    "gender.exact": of("gender"),
    "nino.exact": of("nino"),
    "nino.near": of("nino", deletions),
}


def test_the_recipients_key_follows_from_the_root():
    info = f"{TOLD['programme']}|{TOLD['recipient']}|{TOLD['recipient_version']}"
    assert expand(bytes.fromhex(TOLD["root"]), info).hex() == TOLD["recipient_key"]


@pytest.mark.parametrize("person", TOLD["people"], ids=lambda person: person["standard"]["record_id"])
@pytest.mark.parametrize("kind", ["compound", "field"])
def test_every_published_token_follows_from_the_documented_construction(person, kind):
    """The parts' texts joined by 0x1F; HMAC-SHA-256 under the match-key's own key; its first sixteen bytes."""
    for one in rules.load().of_kind(kind):
        info = f"{kind}|match-key|{one.name}|{TOLD['policy_version']}"
        secret = expand(bytes.fromhex(TOLD["recipient_key"]), info).hex().encode("ascii")
        texts = itertools.product(*(PARTS[part.name](person["standard"]) for part in one.parts))
        tokens = {hmac.digest(secret, "\x1f".join(text).encode(), "sha256")[:16].hex() for text in texts}
        assert sorted(tokens) == person[kind].get(one.name, []), one.name
    assert set(person[kind]) <= {one.name for one in rules.load().of_kind(kind)}


def test_the_published_file_is_what_this_version_makes():
    """After a change of match-keys: `python -m linkage.tokens.vectors`, a new version, and a word to every holder."""
    assert vectors() == TOLD


def test_the_vectors_cover_every_match_key():
    covered = {name for person in TOLD["people"] for kind in ("compound", "field") for name in person[kind]}
    assert covered == set(rules.load().names)


@pytest.mark.parametrize("published", [PUBLISHED_ROOT, published_key().to_seal()], ids=["root", "recipient's key"])
def test_a_key_file_with_a_published_key_is_refused(tmp_path, published):
    LinkageKey(published).write(tmp_path / "key")
    with pytest.raises(Misuse, match="everybody has it"):
        LinkageKey.from_file(tmp_path / "key")
