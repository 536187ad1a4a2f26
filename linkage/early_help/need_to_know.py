"""What each partner is told about a round of invitations: its own people, by its own reference (N3, N20)."""

from __future__ import annotations

import polars as pl

from linkage.early_help.criteria import Criteria
from linkage.early_help.identify import Identification
from linkage.early_help.people import CASE
from linkage.errors import FlowRefused


def partner_list(found: Identification, feed: str, criteria: Criteria) -> pl.DataFrame:
    """The people of invited families whom the partner of `feed` named itself, with the columns its entry allows.

    No issue, reason or rank is ever in it: those come from other partners. Raises FlowRefused (N3) for a feed that the
    criteria file tells nothing.
    """
    columns = next((allowed for name, allowed in criteria.need_to_know.items() if name == feed), None)
    if columns is None or feed == CASE:
        raise FlowRefused("N3", f"no need to know is recorded for the partner of {feed}")
    invited = found.families.filter("invited").select("family_ref")
    return (
        found.links.filter(pl.col("feed") == feed)
        .join(found.members.select("family_ref", "person_id", "role"), on="person_id")
        .join(invited, on="family_ref", how="semi")
        .select(columns)
        .unique()
        .sort(columns)
    )
