"""The access matrix that governance reviews (`policy/access.toml`), read and shown as tables; tests try every pair of it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from linkage import settings
from linkage.errors import Misuse
from linkage.feeds import FEEDS
from linkage.stack.principals import DIRECTORY_BUCKET, PARTNER_BUCKETS, STORES, WITNESS_BUCKET, buckets_of

FILE = "access.toml"
Cells = dict[tuple[str, str], frozenset[str]]
"""What a principal may do with a resource; a pair that is not there may do nothing."""


@dataclass(frozen=True, slots=True)
class Access:
    """The matrix, by kind of resource; keys are (principal or holder, resource)."""

    objects: Cells
    keys: Cells
    signs: Cells
    directory: Cells
    linkage_root: Cells
    snapshots: Cells
    register: Cells


def load() -> Access:
    """The matrix in force. Raises Misuse when the file cannot be read as one."""
    try:
        told = tomllib.loads((settings.load().policy_dir / FILE).read_text(encoding="utf-8"))
        return Access(
            objects=_cells(told["objects"]),
            keys=_cells(told["keys"]),
            signs={(who, key): frozenset({"sign"}) for who, names in told["signs"].items() for key in names},
            directory={(who, of): frozenset({"write"}) for who, names in told["directory"].items() for of in names},
            linkage_root=_cells({who: {"linkage root": can} for who, can in told["linkage_root"].items()}),
            snapshots=_cells({who: {"key service": can} for who, can in told["snapshots"].items()}),
            register={(who, of): frozenset({"see"}) for who, names in told["register"].items() for of in names},
        )
    except (OSError, tomllib.TOMLDecodeError, KeyError, AttributeError) as error:
        raise Misuse(f"{FILE}: {type(error).__name__}") from None


def matrix(cells: Cells, across: Iterable[str], corner: str) -> str:
    """Cells as a Markdown table: one line a principal, one column a resource; empty where nothing is allowed."""
    columns = list(across)
    rows = sorted({who for who, _ in cells}, key=lambda who: (who.startswith("verifier-"), who))
    lines = [f"| {corner} | {' | '.join(columns)} |", f"|---{'|---' * len(columns)}|"]
    lines += [f"| {who} | {' | '.join(_shown(cells.get((who, one))) for one in columns)} |" for who in rows]
    return "\n".join(lines)


def markdown() -> str:
    """docs/access.md."""
    told = load()
    vaults = [buckets_of(store)[0] for store in STORES]
    inboxes = [buckets_of(store)[1] for store in STORES]
    vaults_and_public = [*vaults, WITNESS_BUCKET, DIRECTORY_BUCKET]
    parts = [
        "# Who may do what",
        f"Made from `policy/{FILE}` by `python -m linkage.stack.access`; do not edit. Each line is a credential. An empty\n"
        "cell is refused. `tests/custody/test_custody_isolation.py` tries every cell of these tables on the running servers.",
        "## Objects: vaults",
        "Content is encrypted; to read it takes the key as well (below).",
        matrix(
            {pair: can for pair, can in told.objects.items() if pair[1] in vaults_and_public},
            vaults_and_public,
            "credential",
        ),
        _writers(told),
        "## Objects: inboxes",
        matrix({pair: can for pair, can in told.objects.items() if pair[1] in inboxes}, inboxes, "credential"),
        "## Objects: where partners deliver, and where they fetch what was wrong",
        "One prefix a feed. A partner adds to its own and fetches its own answer; it lists nothing and removes nothing.",
        *(
            matrix(
                {pair: can for pair, can in told.objects.items() if pair[1] in prefixes(bucket)},
                prefixes(bucket),
                bucket,
            )
            for bucket in PARTNER_BUCKETS
        ),
        "## Key-encryption keys, by the store they belong to",
        matrix(told.keys, STORES, "credential"),
        "A verifier may try to unwrap, because after a destruction that must fail (D7); it can read no object to use it on.",
        "## Other keys",
        _sentences(told),
        "## The register",
        matrix(told.register, sorted({of for _, of in told.register}), "database role of"),
        "Every role also sees the names and dates of keys, the ledger and the sweeps, which name no person (D10). None deletes.",
    ]
    return "\n\n".join(parts) + "\n"


def prefixes(bucket: str) -> list[str]:
    """The partners' prefixes of a bucket, one a feed."""
    return [f"{bucket}/{feed}" for feed in FEEDS]


def _cells(told: Mapping[str, Mapping[str, str]]) -> Cells:
    """`bucket/*` stands for the prefix of every feed."""
    return {
        (who, one): frozenset(can.split())
        for who, whats in told.items()
        for what, can in whats.items()
        for one in (prefixes(what.removesuffix("/*")) if what.endswith("/*") else [what])
    }


def _shown(can: frozenset[str] | None) -> str:
    order = ("list", "look", "see", "read", "write", "delete", "wrap", "unwrap", "destroy", "sign", "use", "take")
    return ", ".join(one for one in order if one in (can or ()))


def _writers(told: Access) -> str:
    own = all(who == of for who, of in told.directory)
    said = "its own name and nowhere else" if own else "the names that the policy says"
    return f"In the directory each of {', '.join(sorted(who for who, _ in told.directory))} writes below {said}."


def _sentences(told: Access) -> str:
    root = ", ".join(sorted(who for who, _ in told.linkage_root))
    takes = ", ".join(sorted(who for who, _ in told.snapshots))
    own = all(key == f"sign-{who}" for who, key in told.signs)
    signs = "Every credential signs with its own key and no other." if own else "Some credential signs as another."
    return f"{signs} The linkage root key answers to: {root}. Snapshots of the key service are taken by: {takes}."


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201  (this is what it is for)
