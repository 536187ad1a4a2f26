"""Secondary suppression: hide further cells until every hidden count stays open, and as few as we can (R3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from linkage.release.attacks import Attack, attacks
from linkage.release.axes import Bools, Ints
from linkage.release.lattice import Grid
from linkage.release.moves import Board, Move
from linkage.release.proof import Counts, Known, Proof
from linkage.release.rules import ReleasePolicy
from linkage.release.system import Target

_ROUNDS = 40  # after so many rounds the table has no version worth releasing; the audit then says so
_WORLDS, _FEW = 8, 5  # worlds that moves start from, while more than a few counts are unproved
_SEARCHES = 4000  # most searches for ways to show cells again


def hide_more(grid: Grid, counts: Counts, others: Sequence[Known], policy: ReleasePolicy) -> Bools:
    """The cells to hide so that every hidden one of `grid`, and of `others`, keeps an open interval.

    `counts` are the true counts of `grid` (`leaf_shape` by measure). A count that cannot be protected stays narrow
    here and is found by the audit.
    """
    first = grid.hidden
    for _ in range(_ROUNDS):
        covers = [Cover(attack, policy) for attack in attacks(Known(grid, counts), others, policy)]
        hidden = grid.hidden.copy()
        for cover in covers * 2:  # what one attack needs hidden, the other must find open as well
            cover.adopt(hidden)
            cover.find_moves()
            hidden |= cover.hidden
        hidden = _show_again(covers, hidden, first)
        grid = grid.hiding(hidden)
        narrow = narrow_counts(Known(grid, counts), others, policy, covers)
        more = _choose(narrow, grid, others, covers[0].board)
        if not more.any():
            break
        first = first | more
        grid = grid.hiding(grid.hidden | more)
    return grid.hidden


def narrow_counts(
    table: Known, others: Sequence[Known], policy: ReleasePolicy, covers: Sequence[Cover] = ()
) -> list[Target]:
    """Hidden counts that can be worked out too closely (R3): table number -1 is `table`, `others` count from 0.

    `covers` bring moves that may prove counts open; without them, moves are looked for. Raises Contradiction when the
    table contradicts itself.
    """
    found: list[Target] = []
    for number, attack in enumerate(attacks(table, others, policy)):
        proof = Proof(attack.system, attack.world)
        if number < len(covers):
            proof.add_moves(covers[number].moves, attack.world)
        else:
            _prove_by_moves(proof, attack, policy)
        for place, measure, key in proof.narrow(attack.passes_over):
            found.append((-1 if place == attack.own else place, measure, key))
    return list(dict.fromkeys(found))


def _prove_by_moves(proof: Proof, attack: Attack, policy: ReleasePolicy) -> None:
    """Moves within what is hidden already, from one world and, while counts are left, from others a walk away."""
    world = attack.world
    for number in range(_WORLDS):
        cover = Cover(attack.starting_at(world), policy, hideable=False)
        cover.find_moves()
        proof.add_moves(cover.moves, world)
        if len(proof.unproved(attack.passes_over)) <= _FEW:
            return
        world = proof.wander(world, cover.moves, number)


class Cover:
    """Moves that together leave every hidden cell of an attack's tables open, and what they need hidden."""

    def __init__(self, attack: Attack, policy: ReleasePolicy, hideable: bool = True) -> None:
        self.attack = attack
        own = [hideable and number == attack.own for number in range(len(attack.tables))]
        grids = [one.grid for one in attack.tables]
        self.board = Board(grids, [one.counts or {} for one in attack.tables], own, attack.system.tied, policy)
        self.moves: list[Move] = []
        self.hopeless: set[tuple[int, int]] = set()

    @property
    def hidden(self) -> Bools:
        """What is hidden in the table under protection."""
        return self.board.hidden[self.attack.own]

    def adopt(self, hidden: Bools) -> None:
        """Hide in the table under protection what has been hidden elsewhere."""
        self.board.hide(self.attack.own, np.flatnonzero(hidden))

    def open_cells(self, left_out: Sequence[int] = ()) -> list[Bools]:
        """By table, the cells that some move leaves open; `left_out` are numbers of moves not to count."""
        out = [np.zeros(one.grid.hidden.size, dtype=bool) for one in self.attack.tables]
        for number, move in enumerate(self.moves):
            if number not in left_out:
                for table, (cells, _) in move.cells.items():
                    out[table][cells] = True
        return out

    def waiting(self, left_out: Sequence[int] = ()) -> list[tuple[int, int]]:
        """The hidden cells that no move leaves open yet: table and flat number."""
        opened = self.open_cells(left_out)
        return [
            (table, int(cell))
            for table, (hidden, skip) in enumerate(zip(self.board.hidden, self.attack.skip, strict=True))
            for cell in np.flatnonzero(hidden.ravel() & ~skip.ravel() & ~opened[table])
            if (table, int(cell)) not in self.hopeless
        ]

    def find_moves(self) -> None:
        """A move for every hidden cell, the cheapest, hiding what it needs."""
        opened = self.open_cells()
        for table, cell in self.waiting():
            if opened[table][cell]:
                continue
            move = self.find(table, cell)
            if move is None:
                self.hopeless.add((table, cell))
                continue
            self.take(move)
            for touched, (cells, _) in move.cells.items():
                opened[touched][cells] = True

    def find(self, table: int, cell: int, free: bool = False) -> Move | None:
        """The cheapest move for one cell."""
        key = np.unravel_index(cell, self.attack.tables[table].grid.lattice.shape)
        return self.board.best(table, tuple(int(n) for n in key), free)

    def take(self, move: Move) -> None:
        """Count on a move and hide what it needs."""
        self.moves.append(move)
        for table, (cells, _) in move.cells.items():
            self.board.hide(table, cells)


def _show_again(covers: Sequence[Cover], hidden: Bools, needed: Bools) -> Bools:
    """Show again, dearest first, each secondarily hidden cell without which other free moves can be found."""
    hidden = hidden.copy()
    worth = covers[0].board.worth[covers[0].attack.own].ravel()
    extra = np.flatnonzero((hidden & ~needed).ravel())
    searches = 0
    for cell in extra[np.argsort(-worth[extra], kind="stable")]:
        if searches > _SEARCHES:
            break
        plans = []
        for cover in covers:
            plan = _without(cover, int(cell))
            searches += 1 if plan is None else 1 + len(plan[1])
            plans.append(plan)
        shown = all(plan is not None for plan in plans)
        for cover, plan in zip(covers, plans, strict=True):
            if shown and plan is not None:
                cover.moves = [move for n, move in enumerate(cover.moves) if n not in plan[0]] + plan[1]
            else:
                cover.board.hide(cover.attack.own, np.array([cell]))
        if shown:
            hidden.ravel()[cell] = False
    return hidden


def _without(cover: Cover, cell: int) -> tuple[list[int], list[Move]] | None:
    """The moves to drop and those to take instead so that `cell` may be shown; None when some count needs it hidden."""
    own = cover.attack.own
    dropped = [n for n, move in enumerate(cover.moves) if own in move.cells and cell in move.cells[own][0]]
    cover.board.show(own, cell)
    taken: list[Move] = []
    opened = cover.open_cells(dropped)
    for table, waiting in cover.waiting(dropped):
        if opened[table][waiting]:
            continue
        move = cover.find(table, waiting, free=True)
        if move is None:
            return None
        taken.append(move)
        for touched, (cells, _) in move.cells.items():
            opened[touched][cells] = True
    return dropped, taken


def _choose(narrow: Sequence[Target], grid: Grid, others: Sequence[Known], board: Board) -> Bools:
    """For each count that is too well known, the cheapest shown cell that stands in a sum with it."""
    chosen = np.zeros(grid.lattice.shape, dtype=bool)
    price = board.worth[-1].copy()
    for number, _, key in narrow:
        near = _in_line(grid, key) if number == -1 else _in_common(grid, others[number].grid, key)
        if (near & chosen).any():
            continue  # what was just hidden may be enough for this one too
        open_ = near & ~grid.hidden
        open_ = open_ if open_.any() else ~grid.hidden
        if open_.any():
            chosen.ravel()[int(np.where(open_, price, np.inf).argmin())] = True
    return chosen


def _in_line(grid: Grid, key: tuple[int, ...]) -> Bools:
    """The cells that differ from `key` along one axis only."""
    apart: Ints = np.zeros(grid.lattice.shape, dtype=np.int64)
    for number, node in enumerate(key):
        other = (np.arange(grid.lattice.shape[number]) != node).astype(np.int64)
        apart += other.reshape([-1 if n == number else 1 for n in range(len(key))])
    return np.equal(apart, 1)


def _in_common(grid: Grid, other: Grid, key: tuple[int, ...]) -> Bools:
    """The cells of `grid` that agree with a cell of another table wherever both have a category."""
    labels = dict(zip(other.names, other.lattice.label(key).values(), strict=True))
    out = np.ones(grid.lattice.shape, dtype=bool)
    for number, (name, axis) in enumerate(zip(grid.names, grid.lattice.axes, strict=True)):
        node = axis.places.get(labels.get(name, ""))
        if node is not None:
            same = np.arange(len(axis.labels)) == node
            out &= same.reshape([-1 if n == number else 1 for n in range(len(grid.names))])
    return out
