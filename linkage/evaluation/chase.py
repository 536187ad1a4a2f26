"""What the other side has not acknowledged is sent again, by the step that sent it first (N17, D2).

Sent again means made again from what is still held: the same references, a fresh seal, the same transfer id, so that a
recipient that has it changes nothing. No copy of a sealed transfer is kept for it, and nothing outlives its own deadline.
"""

from __future__ import annotations

from collections.abc import Callable

from linkage.custody.transfers import acknowledgement
from linkage.custody.transfers.acknowledgement import Sent
from linkage.errors import CheckFailed, FlowRefused
from linkage.evaluation import link, match_department, submit
from linkage.policy.schema import DEPARTMENTS


def chase() -> list[str]:
    """Look up what became of this site's transfers and send again what is late; a sentence each and a closing count.

    Raises DependencyUnreachable; safe to run at any time.
    """
    standing = acknowledgement.look()
    told, done = [one.sentence for one in standing], set[tuple[str, str, str | None]]()
    for one in standing:
        step = (one.store, one.recipient, one.wave)
        if one.send_again and step not in done:
            done.add(step)
            told.append(_again(one))
    return [*told, acknowledgement.closing(standing)]


def _again(one: Sent) -> str:
    send = _step_of(one)
    if send is None:
        return (
            f"{one.transfer}: no step sends a {one.dataset_class} again by itself; see docs/runbooks/separate-sites.md."
        )
    try:
        return send()
    except (CheckFailed, FlowRefused) as refused:
        # What it was made from is destroyed, or the programme has closed: then it stays unsent.
        return f"{one.transfer} cannot be sent again ({refused})."


def _step_of(one: Sent) -> Callable[[], str] | None:
    wave = str(one.wave)
    if one.store.startswith("authority") and one.dataset_class in submit.CLASSES:
        return lambda: submit.send_to(one.recipient, wave)
    if one.store in DEPARTMENTS and one.dataset_class == "department_return":
        return lambda: match_department.return_attributes(one.store, wave)
    if one.dataset_class == "link_index":
        return lambda: link.send_index(wave)
    return None
