"""Partner deliveries: what each feed may contain, what is wrong with a file, and what is kept of it (N1, N3)."""

from typing import Literal, get_args

Feed = Literal[
    "case_management",
    "schools",
    "children_services",
    "police",
    "probation",
    "housing",
    "jobcentre",
    "health",
    "referrals",
]
FEEDS: tuple[str, ...] = get_args(Feed)
"""The partners' feeds, in the order they are received (N1)."""
