"""The submission: one stored pack with random refs, from which every file the authority sends is derived (N6, N13)."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from linkage.errors import FlowRefused, Misuse
from linkage.evaluation import schemas
from linkage.evaluation.schemas import require_columns, require_no_health, require_unique
from linkage.identifiers.split import fresh_refs
from linkage.policy.schema import DEPARTMENTS

RECIPIENTS = ("identity", "linker", "attribute", *DEPARTMENTS)
REFS = tuple(f"{recipient}_ref" for recipient in RECIPIENTS)


@dataclass(frozen=True)
class SubmissionPack:
    """The authority's own record of one submission: the cohort with its refs. Only the files below leave.

    Each file is sorted by its own random ref, so that row order links nothing, and a re-run of the same pack gives
    the same files. The pack holds identifiers beside attributes, as the authority does anyway; it is destroyed
    within the month and the crosswalk it can rebuild goes with it.
    """

    frame: pl.DataFrame

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> SubmissionPack:
        """The pack stored earlier as `frame`. Raises FlowRefused (N13) when its columns are not a pack's."""
        require_columns(frame, pack_columns(), "N13", "a submission pack")
        for ref in REFS:
            require_unique(frame, ref, "a submission pack")
        return cls(frame.select(pack_columns()))

    @property
    def identity_file(self) -> pl.DataFrame:
        """For the identity custodian: `identity_ref` and exactly the identifiers of N6."""
        frame = self.frame.select("identity_ref", *schemas.load().identifiers).sort("identity_ref")
        require_identity_file(frame)
        return frame

    @property
    def attribute_file(self) -> pl.DataFrame:
        """For the research store: `attribute_ref`, a random `family_key` and programme attributes."""
        frame = self.frame.select("attribute_ref", "family_key", *schemas.load().attributes).sort("attribute_ref")
        require_attribute_file(frame)
        return frame

    @property
    def crosswalk(self) -> pl.DataFrame:
        """For the linker: every ref of a person side by side, and nothing else."""
        return self.frame.select(REFS).sort("linker_ref")

    def people_for(self, recipient: str) -> pl.DataFrame:
        """`record_id` (the recipient's own ref) and identifiers: what the authority tokenises for it, and never sends.

        `recipient` is `linker`, `dwp`, `moj` or `dfe`; Misuse otherwise.
        """
        if recipient not in ("linker", *DEPARTMENTS):
            raise Misuse("tokens are made for the linker, DWP, MoJ and DfE only")
        ref = f"{recipient}_ref"
        return self.frame.select(pl.col(ref).alias("record_id"), *schemas.load().identifiers).sort("record_id")

    @property
    def requests(self) -> dict[str, pl.DataFrame]:
        """`people_for` each department, by department."""
        return {department: self.people_for(department) for department in DEPARTMENTS}


def prepare(cohort: pl.DataFrame, suppressed: set[str] | pl.DataFrame) -> SubmissionPack:
    """Give every person of the cohort a fresh random ref per recipient, and every family a random key.

    `cohort` comes from `build_cohort`. `suppressed` is the people who withdrew (S3), as a set of `person_id` or a
    frame with that column: they leave before a ref is made. The refs are new on every call: store the pack's `frame`
    and read it back with `SubmissionPack.from_frame` so that a re-run sends the same. Raises FlowRefused (N13) for a
    column the cohort should not have, CheckFailed for a person who stands in it twice.
    """
    spec = schemas.load()
    require_columns(cohort, _cohort_columns(), "N13", "the cohort")
    require_unique(cohort, "person_id", "the cohort")
    gone = suppressed["person_id"].to_list() if isinstance(suppressed, pl.DataFrame) else sorted(suppressed)
    kept = cohort.filter(~pl.col("person_id").is_in(gone)).sort("person_id")
    refs = fresh_refs(kept.height, list(RECIPIENTS))
    refs.columns = list(REFS)
    families = kept.select("family_ref").unique().sort("family_ref")
    keys = fresh_refs(families.height, ["family"]).to_series().alias("family_key")
    packed = pl.concat([kept, refs], how="horizontal").join(families.with_columns(keys), on="family_ref", how="left")
    require_no_health(packed.columns, spec, "the submission")
    return SubmissionPack.from_frame(packed.select(pack_columns()))


def pack_columns() -> list[str]:
    """The columns of a pack: the cohort's, a ref per recipient and the family's key."""
    return [*_cohort_columns(), *REFS, "family_key"]


def require_identity_file(frame: pl.DataFrame) -> None:
    """Refuse (N6) an identity file that is not `identity_ref` and exactly the five identifiers; both ends call it."""
    require_columns(frame, ("identity_ref", *schemas.load().identifiers), "N6", "the identity file")
    require_unique(frame, "identity_ref", "the identity file")


def require_attribute_file(frame: pl.DataFrame) -> None:
    """Refuse an attribute file with a column about health (N7), an identifier (N13) or anything unlisted (N3)."""
    spec = schemas.load()
    require_no_health(frame.columns, spec, "the attribute file")
    identifiers = sorted((set(frame.columns) & set(spec.identifiers)) - set(spec.attributes))
    if identifiers:
        raise FlowRefused("N13", f"the attribute file may not carry {', '.join(identifiers)}")
    require_columns(frame, ("attribute_ref", "family_key", *spec.attributes), "N3", "the attribute file")
    require_unique(frame, "attribute_ref", "the attribute file")


def _cohort_columns() -> list[str]:
    spec = schemas.load()
    own = [column for column in spec.attributes if column not in spec.identifiers]
    return ["person_id", "family_ref", *spec.identifiers, *own]
