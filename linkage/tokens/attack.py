"""A frequency and pattern attack on a token file: how many people somebody names who knows how common names are.

The attacker holds no key. They know the match-keys, the canonicalisation and the names of comparable people (public
counts, or part of the file's own people), can therefore see what the tokens of such people look like, and look for the
same traits in the file under attack: how common a token is, how many tokens a person has for a match-key, which are
missing, how many people share one, and how many of their tokens two people share (twins, households).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

NAMES: Final = ("forename", "surname")
# Both together as well: forenames and surnames of one origin go together, so the likeliest two are not the likeliest pair.
_GUESSED: Final = (*NAMES, "whole")
_COMMONEST = 1000  # names an attacker considers: the rest are too rare to be a good guess
_MOST_SHARED = 20  # people behind a token up to which two of them are compared in pairs
_UNSEEN = 0.5  # weight of a trait never seen with a name, in people
_ROWS = 4096  # distinct patterns weighed at a time


@dataclass(frozen=True)
class Known:
    """People an attacker has: `tokens` (record_id, match_key, person_token) and `names` (record_id, forename, surname)."""

    tokens: pl.DataFrame
    names: pl.DataFrame


@dataclass(frozen=True)
class Attack:
    """Shares of the attacked people (0 to 1): named whole, per match-key and by all that can be seen together.

    `chance` is what calling everybody by the commonest name gets (the commonest forename with the commonest surname, or
    the commonest two together), without any token.
    """

    people: int
    by_key: dict[str, float]
    named_share: float
    chance: float


def attack(tokens: pl.DataFrame, truth: pl.DataFrame, known: Known) -> Attack:
    """Attack a token frame (record_id, match_key, person_token) and judge the guesses by `truth` (record_id and names).

    A person is named when forename and surname are both right. Frames without people give zeros.
    """
    people = _whole(
        tokens.select("record_id").unique().join(truth.select("record_id", *NAMES), on="record_id").sort("record_id")
    )
    if people.is_empty() or known.names.is_empty():
        return Attack(people.height, {}, 0.0, 0.0)
    names = _whole(known.names)
    right = {name: _Right(people, name) for name in _GUESSED}
    blind = [
        right[name](names[name].drop_nulls().mode().sort().head(1).new_from_index(0, people.height))
        for name in _GUESSED
    ]
    by_key: dict[str, float] = {}
    guesses: dict[str, list[Flags]] = {name: [] for name in _GUESSED}
    ours, theirs = _seen(tokens, people), _seen(known.tokens, names)
    both = {name: (ours[name], theirs[name]) for name in sorted(set(ours) & set(theirs))}
    for match_key, (mine, listed) in both.items():
        ranked = _by_rank(mine, listed, people.height, names)
        patterned = _by_pattern([(mine, listed)], names)
        found = [[right[name](told[name]) for name in _GUESSED] for told in (ranked, patterned)]
        by_key[match_key] = max(_named(*one) for one in found)
        for place, name in enumerate(_GUESSED):
            guesses[name] += [one[place] for one in found]
    together = _by_pattern(list(both.values()), names)
    for place, name in enumerate(_GUESSED):
        guesses[name] += [right[name](together[name]), blind[place]]
    # Of all ways to guess each name, the pair that turned out best: an attacker would not know which that is.
    forenames, surnames, whole = (np.array(guesses[name], dtype=np.float64) for name in _GUESSED)
    best = max((forenames @ surnames.T).max(), whole.sum(axis=1).max()) / people.height
    return Attack(people.height, by_key, float(best), _named(*blind))


def _whole(names: pl.DataFrame) -> pl.DataFrame:
    return names.with_columns(whole=pl.concat_str(*NAMES, separator=" "))


def _named(forename: Flags, surname: Flags, whole: Flags) -> float:
    """The share of people named whole, by two guesses or by one of both names, whichever got more."""
    return max(float((forename & surname).mean()), float(whole.mean()))


class _Right:
    """Whose name a list of guesses (a row per person) gets right."""

    def __init__(self, people: pl.DataFrame, name: str) -> None:
        self._truth = people[name]

    def __call__(self, guesses: pl.Series) -> Flags:
        return (guesses == self._truth).fill_null(False).to_numpy()


@dataclass(frozen=True)
class _Seen:
    """What can be seen of one match-key: one number per person that stands for all its traits, and common tokens.

    `common` has person (place among the people), token and held, for the tokens that several people hold.
    """

    traits: Numbers
    common: pl.DataFrame


def _seen(tokens: pl.DataFrame, people: pl.DataFrame) -> dict[str, _Seen]:
    place = people.select("record_id", person=pl.int_range(pl.len(), dtype=pl.UInt32))
    # Tokens of 128 bits do not meet by accident: a token says which match-key it is of.
    told = tokens.join(place, on="record_id").select(
        "person",
        match_key=pl.col("match_key").cast(pl.String),
        token=pl.col("person_token").bin.reinterpret(dtype=pl.UInt128),
    )
    common = told.join(told.group_by("token").len("held").filter(pl.col("held") > 1), on="token")
    few = common.filter(pl.col("held") <= _MOST_SHARED).select("person", "match_key", "token")
    pairs = few.join(few.select("token", other="person"), on="token").filter(pl.col("person") != pl.col("other"))
    overlap = pairs.group_by("match_key", "person", "other").len("overlap")
    each = ["match_key", "person"]
    seen = (
        told.group_by(each)
        .agg(number=pl.len())
        .join(common.group_by(each).agg(pl.col("held").max()), on=each, how="left")
        .join(overlap.group_by(each).agg(pl.col("overlap").max()), on=each, how="left")
        .with_columns(
            # Frequencies in steps: people of one name are found by rank, here it matters whether any share a token.
            trait=pl.col("number").cast(pl.Int64).clip(0, 999) * 100_000
            + pl.col("held").fill_null(1).cast(pl.Float64).log(2).floor().cast(pl.Int64) * 1_000
            + pl.col("overlap").fill_null(0).cast(pl.Int64).clip(0, 999)
        )
    )
    by_key = {str(name): one for (name,), one in common.group_by("match_key")}
    return {
        str(name): _Seen(_filled(one, people.height), by_key.get(str(name), common.clear()))
        for (name,), one in seen.group_by("match_key")
    }


def _filled(seen: pl.DataFrame, people: int) -> Numbers:
    traits = np.zeros(people, dtype=np.int64)
    traits[seen["person"].to_numpy()] = seen["trait"].to_numpy()
    return traits


def _by_pattern(both: list[tuple[_Seen, _Seen]], names: pl.DataFrame) -> dict[str, pl.Series]:
    """The likeliest name of each person by naive Bayes over the traits of match-keys."""
    distinct, place = np.unique(np.column_stack([mine.traits for mine, _ in both]), axis=0, return_inverse=True)
    listed = [theirs.traits for _, theirs in both]
    return {name: _likeliest(distinct, listed, names[name]).gather(place.reshape(-1)) for name in _GUESSED}


def _likeliest(patterns: Numbers, traits: list[Numbers], names: pl.Series) -> pl.Series:
    counts = names.drop_nulls().value_counts(sort=True).head(_COMMONEST)
    listed = counts[names.name]
    classes = (
        names.replace_strict(listed, pl.Series(range(len(listed)), dtype=pl.Int64), default=-1).fill_null(-1).to_numpy()
    )
    held = classes >= 0
    size = counts["count"].to_numpy().astype(np.float64)
    tables = [_logs(patterns[:, number], trait[held], classes[held], size) for number, trait in enumerate(traits)]
    best = np.empty(len(patterns), dtype=np.int64)
    for start in range(0, len(patterns), _ROWS):
        told = np.tile(np.log(size / size.sum()), (len(patterns[start : start + _ROWS]), 1))
        for table, place in tables:
            told += table[place[start : start + _ROWS]]
        best[start : start + _ROWS] = told.argmax(axis=1)
    return listed.gather(best)


def _logs(wanted: Numbers, trait: Numbers, classes: Numbers, size: Floats) -> tuple[Floats, Numbers]:
    """log P(trait | name) for each distinct wanted trait (row) and name, and each pattern's row."""
    kinds, place = np.unique(wanted, return_inverse=True)
    at = np.searchsorted(kinds, trait).clip(0, len(kinds) - 1)
    same = kinds[at] == trait
    seen = np.zeros((len(kinds), len(size)))
    np.add.at(seen, (at[same], classes[same]), 1.0)
    share = (seen.sum(axis=1, keepdims=True) + _UNSEEN) / (size.sum() + _UNSEEN * (len(kinds) + 1))
    return np.log((seen + _UNSEEN * share) / (size + _UNSEEN)), place.reshape(-1)


def _by_rank(mine: _Seen, listed: _Seen, people: int, names: pl.DataFrame) -> dict[str, pl.Series]:
    """Names by frequency: the commonest token is taken for the commonest token of the known people, and so on down."""
    theirs = _ranked(listed.common)
    told = (
        theirs.with_columns(names[name].gather(theirs["person"]) for name in _GUESSED)
        .group_by("rank")
        .agg(pl.col(name).drop_nulls().mode().sort().first() for name in _GUESSED)
    )
    guessed = _ranked(mine.common).group_by("person").agg(pl.col("rank").min()).join(told, on="rank", how="left")
    everybody = pl.DataFrame({"person": pl.int_range(people, dtype=pl.UInt32, eager=True)})
    placed = everybody.join(guessed, on="person", how="left", maintain_order="left")
    return {name: placed[name] for name in _GUESSED}


def _ranked(common: pl.DataFrame) -> pl.DataFrame:
    """person and rank of common tokens, by how many hold them; where as many do, in the tokens' own (random) order."""
    order = common.select("token", "held").unique().sort("held", "token", descending=[True, False])
    return common.join(order.select("token", rank=pl.int_range(pl.len())), on="token").select("person", "rank")
