"""The errors a user may see: each names a rule, a holding or a row, never a value, and has its exit code."""

from __future__ import annotations


class LinkageError(Exception):
    """Base of every error a user may see. `exit_code` is what the `linkage` command leaves with."""

    exit_code = 1


class CheckFailed(LinkageError):
    """A check said no: quarantine, breach, failed verification."""

    exit_code = 1


class Misuse(LinkageError):
    """The call itself is wrong: a missing file, an unknown feed, an option that does not fit."""

    exit_code = 2


class Unknown(Misuse):
    """What is asked for by its number or name is not there."""


class FlowRefused(LinkageError):
    """A rule refuses the flow. The message starts with the rule's ID, for example `D3: …`."""

    exit_code = 3

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"{rule}: {reason}")
        self.rule = rule
        self.reason = reason


class DependencyUnreachable(LinkageError):
    """A store, key service or database cannot be reached. Nothing was lost; run again."""

    exit_code = 4
