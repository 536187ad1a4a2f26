"""The dimensions of one table: the categories present, the groups over them, the total over everything."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Axis:
    """One dimension of one table as a tree. Nodes are numbered: categories (leaves) first, then groups, then the total.

    `members` is nodes by leaves: which categories a node is the sum of. `children` are the nodes each node sums, empty
    for a leaf. `repeats`: a family can stand in several categories, so families have no sums along it.
    """

    name: str
    labels: tuple[str, ...]
    leaves: int
    members: Bools
    children: tuple[tuple[int, ...], ...]
    repeats: bool = False

    @functools.cached_property
    def places(self) -> Mapping[str, int]:
        """The number of each label."""
        return {label: number for number, label in enumerate(self.labels)}

    @functools.cached_property
    def rise(self) -> Reals:
        """Leaves by nodes: what changes along the axis when one leaf changes by one."""
        return self.members.T.astype(float)


def build(
    name: str,
    categories: Collection[str],
    groups: Mapping[str, Collection[str]],
    total: str,
    repeats: bool = False,
) -> Axis:
    """The axis over `categories`. A group or total over a single child would repeat that child, so it is left out."""
    leaves = list(categories)
    labels = list(leaves)
    children: list[tuple[int, ...]] = [()] * len(leaves)
    free = list(range(len(leaves)))
    for group, inside in groups.items():
        below = [number for number, leaf in enumerate(leaves) if leaf in inside]
        if len(below) > 1 and len(below) < len(leaves):
            free = [number for number in free if number not in below] + [len(labels)]
            labels.append(group)
            children.append(tuple(below))
    if len(leaves) > 1:
        children.append(tuple(sorted(free)))
        labels.append(total)
    members = np.zeros((len(labels), len(leaves)), dtype=bool)
    members[: len(leaves)] = np.eye(len(leaves), dtype=bool)
    for number, parts in enumerate(children):
        for child in parts:
            members[number] |= members[child]
    return Axis(name, tuple(labels), len(leaves), members, tuple(children), repeats)
