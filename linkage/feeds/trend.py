"""A feed's course as a small picture: a bar for each delivery, rows accepted below, rows set aside above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 240, 48
SHOWN = 24
_WIDEST = WIDTH // 12  # few deliveries are few bars, not broad ones


@dataclass(frozen=True, slots=True)
class Bar:
    """One delivery: where it stands and how high its parts are, in units of the picture; `stopped` when nothing was let in."""

    x: int
    accepted: float
    set_aside: float
    stopped: bool


@dataclass(frozen=True, slots=True)
class Trend:
    """The last deliveries as bars, oldest first, and the same in a sentence for who does not see them."""

    bars: tuple[Bar, ...]
    said: str
    bar: int = 0
    width: int = WIDTH
    height: int = HEIGHT


def trend(told: Sequence[tuple[int, int, str]]) -> Trend:
    """The course of deliveries, oldest first, each (rows accepted, rows set aside, outcome)."""
    shown = told[-SHOWN:]
    step = min(_WIDEST, WIDTH // max(1, len(shown)))
    most = max((accepted + aside for accepted, aside, _ in shown), default=0) or 1
    bars = tuple(
        Bar(
            number * step,
            round(HEIGHT * accepted / most, 1),
            # What was set aside would be too thin to see among thousands of rows.
            max(3.0, round(HEIGHT * aside / most, 1)) if aside and outcome == "accepted" else 0.0,
            outcome in ("refused", "held"),
        )
        for number, (accepted, aside, outcome) in enumerate(shown)
    )
    return Trend(bars, _said(shown), step - 2)


def _said(shown: Sequence[tuple[int, int, str]]) -> str:
    if not shown:
        return "no deliveries yet"
    taken = [accepted for accepted, _, outcome in shown if outcome == "accepted"]
    stopped = len(shown) - len(taken)
    rows = f"{min(taken):,} to {max(taken):,} rows accepted" if taken else "no rows accepted"
    counted = f"{len(shown)} {'delivery' if len(shown) == 1 else 'deliveries'}"
    return f"the last {counted}: {rows}, {stopped} held or refused"
