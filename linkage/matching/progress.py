"""What a long match says while it runs: each stage with its counts and seconds, on standard error, and never a value."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from linkage.matching.match import MatchResult


class Stages:
    """Shows the stage at work, leaves a line for each one done, and at the end says what came of it."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._status = self._console.status("")
        self._begun = self._stage_begun = time.monotonic()
        self._stage = ""

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def begin(self, stage: str) -> None:
        """A stage begins, and the one before it is done."""
        self._finish()
        self._stage, self._stage_begun = stage, time.monotonic()
        self._status.update(stage)

    def done(self, result: MatchResult) -> None:
        """The last stage is done: links, people without one on either side, seconds."""
        self._finish()
        told = result.report
        linked = told["links"]
        # With many-to-one a right record may stand in several links.
        right = result.pairs["right_id"].n_unique()
        self._console.print(
            f"{linked:,} links; {told['left_people'] - linked:,} people unmatched on the left, "
            f"{told['right_people'] - right:,} on the right; {time.monotonic() - self._begun:.1f} s"
        )

    def _finish(self) -> None:
        if self._stage:
            self._console.print(f"{self._stage} [dim]{time.monotonic() - self._stage_begun:.1f} s[/dim]")
        self._stage = ""
