"""Who in each partner's delivery is which person of the authority's case record: linked by the project's own matching.

Every link carries its evidence: `own record`, `tokens`, `upn`, or `child id` (children's services use the authority's
own child reference). A reference in one feed is one person, however many rows it has; several references, in one feed
or in several, may be the same person. Nobody outside the case record is kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

CASE = "case_management"
CENSUS = "children_services"
IDENTIFIERS = ("forename", "surname", "date_of_birth", "gender", "address", "postcode", "nino")
LINKS = pl.Schema(
    {
        "feed": pl.String,
        "person_ref": pl.String,
        "person_id": pl.String,
        "evidence": pl.String,
        "probability": pl.Float64,
    }
)
_SEXES = ("M", "F")


def link_people(accepted: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Links of every feed's person references to people of the case record, one row per feed and person_ref linked.

    Takes the minimised frames by feed (a feed may be absent); returns feed, person_ref, person_id, evidence,
    probability, sorted. `person_id` is the person's (first) reference in the case record. Deterministic: neither row
    order nor the throwaway linkage key changes a link.
    """
    case = accepted[CASE]
    own = case_people(case)
    links = [own.select(pl.lit(CASE).alias("feed"), "person_ref", "person_id", evidence=pl.lit("own record"))]
    links[0] = links[0].with_columns(probability=pl.lit(1.0))
    links.append(_by_tokens(accepted, own))
    who = _known_facts(case, own)
    if CENSUS in accepted:
        links.append(_census_by_reference(accepted[CENSUS], links[0], who))
    if "schools" in accepted:
        links.append(_pupils_by_upn(accepted, pl.concat(links), who))
        if CENSUS in accepted:
            links.append(_census_by_upn(accepted, pl.concat(links), who))
    return pl.concat(links).match_to_schema(LINKS).sort("feed", "person_ref")


def case_people(case: pl.DataFrame) -> pl.DataFrame:
    """person_ref to person_id: references that are one person written twice share the smallest of them.

    Only what cannot be two people counts: the same NINO and date of birth, or the same full name, date of birth,
    gender and postcode. A twin differs in the forename, a namesake in the date of birth.
    """
    facts = case.select("person_ref", *(_plain(c) for c in IDENTIFIERS if c != "address")).unique()
    facts = facts.with_columns(person_id=pl.col("person_ref"))
    keys = (
        ("person_ref",),
        ("nino", "date_of_birth"),
        ("forename", "surname", "date_of_birth", "gender", "postcode"),
    )
    for _ in range(2):
        for key in keys:
            known = pl.all_horizontal(pl.col(c).is_not_null() for c in key)
            smallest = pl.col("person_id").min().over(key)
            facts = facts.with_columns(person_id=pl.when(known).then(smallest).otherwise("person_id"))
    return facts.group_by("person_ref").agg(pl.col("person_id").min()).sort("person_ref")


def _by_tokens(accepted: Mapping[str, pl.DataFrame], own: pl.DataFrame) -> pl.DataFrame:
    """Links of every feed that carries names, by tokens under a key that nobody keeps.

    Partners who write somebody in the same way are one question to the matching, not several: one record per distinct
    set of spellings. On our own side every person stays a record, since two people may be written alike.
    """
    from linkage.matching.match import match

    named = [
        _written(frame, ref=pl.concat_str(pl.lit(feed), "person_ref", separator="|"))
        for feed, frame in sorted(accepted.items())
        if feed != CASE and "forename" in frame.columns and frame.height
    ]
    if not named:
        return LINKS.to_frame()
    ours = _written(accepted[CASE].join(own, on="person_ref"), ref=pl.col("person_id"))
    refs, tokens = _spelt(pl.concat([*(part.with_columns(ours=False) for part in named), ours.with_columns(ours=True)]))
    theirs = refs.filter(~pl.col("ours")).with_columns(record_id=pl.col("spellings").list.join("+"))
    left = _tokens_of(theirs.select("record_id", "spellings"), tokens)
    right = _tokens_of(refs.filter("ours").select(pl.col("ref").alias("record_id"), "spellings"), tokens)
    pairs = match(left, right, many_to_one=True).pairs
    parts = pl.col("ref").str.splitn("|", 2)
    return (
        theirs.join(pairs, left_on="record_id", right_on="left_id")
        .select(
            feed=parts.struct.field("field_0"),
            person_ref=parts.struct.field("field_1"),
            person_id=pl.col("right_id"),
            evidence=pl.lit("tokens"),
            probability=pl.col("probability"),
        )
        .cast(LINKS)
    )


def _written(frame: pl.DataFrame, ref: pl.Expr) -> pl.DataFrame:
    """The distinct ways each `ref` is written: ref and IDENTIFIERS as text, null where the feed has no such column."""
    columns = [pl.col(c) if c in frame.columns else pl.lit(None, pl.String).alias(c) for c in IDENTIFIERS]
    return frame.select(ref.alias("ref"), *columns).with_columns(pl.col(IDENTIFIERS).cast(pl.String)).unique()


def _spelt(written: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every ref with its spellings' numbers, and the tokens (record_id, match_key, person_token) of each spelling.

    A spelling is a standardised row; equal ones share a number, whoever wrote them.
    """
    from linkage.identifiers.standardise import standardise
    from linkage.tokens.keys import LinkageKey
    from linkage.tokens.tokenise import tokenise

    numbered = written.with_row_index("record_id").cast({"record_id": pl.String})
    standard = standardise(numbered.drop("ref", "ours"))
    columns = [column for column in standard.columns if column != "record_id"]
    spellings = standard.select(columns).unique().sort(columns).with_row_index("spelling").cast({"spelling": pl.String})
    refs = (
        standard.join(spellings, on=columns, nulls_equal=True)
        .join(numbered, on="record_id")
        .group_by("ours", "ref")
        .agg(spellings=pl.col("spelling").unique().sort())
        .sort("ours", "ref")
    )
    key = LinkageKey.throwaway()
    standard = spellings.rename({"spelling": "record_id"})
    return refs, pl.concat([tokenise(standard, key, "compound"), tokenise(standard, key, "field")])


def _tokens_of(people: pl.DataFrame, tokens: pl.DataFrame) -> pl.DataFrame:
    """The tokens of people (record_id, spellings): those of all the ways they are written."""
    written = people.explode("spellings").unique()
    return (
        written.join(tokens, left_on="spellings", right_on="record_id")
        .select("record_id", "match_key", "person_token")
        .unique()
    )


def _known_facts(case: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """What the case record says of each person that another reference can be checked against."""
    return (
        case.join(own, on="person_ref")
        .group_by("person_id")
        .agg(born=pl.col("date_of_birth").drop_nulls().min(), sex=pl.col("gender").drop_nulls().min())
    )


def _census_by_reference(census: pl.DataFrame, own: pl.DataFrame, who: pl.DataFrame) -> pl.DataFrame:
    """The census has no names; for the authority's own children it gives the authority's own reference."""
    children = census.select("person_ref", "date_of_birth", "gender").unique()
    return _checked(children.join(own.select("person_ref", "person_id"), on="person_ref"), who, CENSUS, "child id")


def _pupils_by_upn(accepted: Mapping[str, pl.DataFrame], links: pl.DataFrame, who: pl.DataFrame) -> pl.DataFrame:
    """Pupils that no token linked but whose UPN is that of a linked pupil, or of a census child known by reference."""
    schools = accepted["schools"]
    linked = links.filter(pl.col("feed") == "schools")
    open_refs = schools.select("person_ref", "upn", "date_of_birth", "gender").unique()
    open_refs = open_refs.join(linked, on="person_ref", how="anti")
    return _checked(open_refs.join(_upns(accepted, links), on="upn"), who, "schools", "upn")


def _census_by_upn(accepted: Mapping[str, pl.DataFrame], links: pl.DataFrame, who: pl.DataFrame) -> pl.DataFrame:
    """Census children of another reference, by the UPN that schools gave."""
    census = accepted[CENSUS].select("person_ref", "upn", "date_of_birth", "gender").unique()
    rest = census.join(links.filter(pl.col("feed") == CENSUS), on="person_ref", how="anti")
    return _checked(rest.join(_upns(accepted, links), on="upn"), who, CENSUS, "upn")


def _upns(accepted: Mapping[str, pl.DataFrame], links: pl.DataFrame) -> pl.DataFrame:
    """UPN to person_id, where the links so far leave no doubt whose it is."""
    told = [
        accepted[feed]
        .select("person_ref", "upn")
        .drop_nulls()
        .join(links.filter(pl.col("feed") == feed).select("person_ref", "person_id"), on="person_ref")
        for feed in ("schools", CENSUS)
        if feed in accepted
    ]
    return (
        pl.concat(told)
        .group_by("upn")
        .agg(pl.col("person_id").min(), one=pl.col("person_id").n_unique() == 1)
        .filter("one")
        .drop("one")
    )


def _checked(candidates: pl.DataFrame, who: pl.DataFrame, feed: str, evidence: str) -> pl.DataFrame:
    """Candidates (person_ref, person_id, date_of_birth, gender) whose date of birth and sex do not contradict.

    A mistyped digit in a reference points at somebody else, so a contradiction refuses the link; an unborn child or an
    unrecorded sex contradicts nothing. A reference with several candidates left is nobody's.
    """
    born_differs = (pl.col("date_of_birth") != pl.col("born")).fill_null(value=False)
    both_sexes = pl.col("gender").is_in(_SEXES) & pl.col("sex").is_in(_SEXES)
    sex_differs = both_sexes.fill_null(value=False) & (pl.col("gender") != pl.col("sex"))
    fits = candidates.join(who, on="person_id").filter(~born_differs & ~sex_differs)
    return (
        fits.group_by("person_ref")
        .agg(pl.col("person_id").min(), one=pl.col("person_id").n_unique() == 1)
        .filter("one")
        .select("person_ref", "person_id", feed=pl.lit(feed), evidence=pl.lit(evidence), probability=pl.lit(1.0))
        .select(LINKS.names())
        .cast(LINKS)
        .sort("person_ref")
    )


def _plain(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String).str.to_lowercase().str.replace_all(r"\s", "")
    return pl.when(text != "").then(text).alias(column)
