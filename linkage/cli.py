"""The `linkage` command: every package's commands under one roof, one exit code per kind of answer."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from linkage.errors import LinkageError

_COMMANDS: dict[str, dict[str, str]] = {}  # group -> command -> `module:function` under `linkage`


class _Group(TyperGroup):
    """Commands that are imported when they are called. Where one is called `show`, what names no command is what to show."""

    def __init__(self, *, name: str | None = None, commands: Any = None, **told: Any) -> None:
        """The names are known from the start; a command is None until it is asked for."""
        self._places = _COMMANDS[name or ""]
        known: dict[str, Any] = dict.fromkeys(self._places)
        super().__init__(name=name, commands=known | commands, **told)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, from its own module; None when there is none of this name."""
        if cmd_name in self._places and self.commands[cmd_name] is None:
            module, function = self._places[cmd_name].split(":")
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(getattr(import_module(f"linkage.{module}"), function))
            self.commands[cmd_name] = typer.main.get_command(alone)
        return super().get_command(ctx, cmd_name)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`linkage certificate HOLDING` means `linkage certificate show HOLDING`."""
        if "show" in self.commands and args and args[0] not in (*self.commands, "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Linkage on tokens, promises kept by date, destruction that is proved. Exit codes: 0 done; 1 a check said no; "
    "2 usage; 3 a rule refused; 4 a dependency is unreachable, nothing was lost, run again.",
)

_COMMANDS[""] = {
    "link": "matching.commands:link",
    "match": "matching.commands:match",
    "tokenise": "tokens.commands:tokenise",
    "families": "early_help.commands:families",
    "partner-list": "early_help.commands:partner_list",
    "family-list": "early_help.commands:list_out",
    "deadline": "custody.commands:deadline",
    "holdings": "custody.commands:holdings",
    "sweep": "custody.commands:sweep",
    "watchdog": "custody.commands:watchdog",
    "reconcile": "custody.commands:reconcile",
    "leaks": "custody.commands:leaks",
    "transfers": "custody.commands:transfers",
}


def _group(name: str, summary: str, /, **commands: str) -> None:
    _COMMANDS[name] = {command.replace("_", "-"): place for command, place in commands.items()}
    app.add_typer(typer.Typer(cls=_Group, no_args_is_help=True, help=summary), name=name)


_group(
    "feeds",
    "Partner deliveries and their contracts.",
    check="feeds.commands:check",
    list="feeds.commands:list_feeds",
    retrieve="feeds.commands:retrieve",
    errors="feeds.commands:errors",
    held="feeds.commands:held_deliveries",
    confirm="feeds.commands:confirm",
    reject="feeds.commands:reject",
    refresh="feeds.commands:refresh",
)
_group(
    "certificate",
    "Certificates of destruction: `linkage certificate HOLDING` shows one.",
    show="custody.evidence.commands:certificate_show",
    verify="custody.evidence.commands:certificate_verify",
    key="custody.evidence.commands:certificate_key",
)
_group(
    "ledger",
    "The tamper-evident ledger: exported, proved and verified offline.",
    verify="custody.evidence.commands:ledger_verify",
    export="custody.evidence.commands:ledger_export",
    prove="custody.evidence.commands:ledger_prove",
    consistency="custody.evidence.commands:ledger_consistency",
    key="custody.evidence.commands:ledger_key",
)
_group(
    "keys",
    "The key service.",
    prepare="custody.keys.commands:prepare",
    snapshot="custody.keys.commands:snapshot",
    snapshots="custody.keys.commands:list_snapshots",
    expire="custody.keys.commands:expire",
)
_group(
    "hold",
    "Legal holds.",
    place="custody.commands:hold_place",
    lift="custody.commands:hold_lift",
    list="custody.commands:hold_list",
)
_group("release", "The release gate.", check="release.commands:check", query="release.commands:query")
_group(
    "stack",
    "The embedded stack.",
    start="stack.commands:start",
    stop="stack.commands:stop",
    status="stack.commands:status",
    join="stack.commands:join",
)
_group(
    "site",
    "Between organisations: whose signature counts, and what waits.",
    card="custody.transfers.commands:card",
    trust="custody.transfers.commands:trusted",
    receive="custody.transfers.commands:receive",
)
_group(
    "rights",
    "Requests of the people themselves.",
    access="rights.commands:access",
    rectify="rights.commands:rectify",
    erase="rights.commands:erase",
    withdraw="rights.commands:withdraw",
    list="rights.commands:list_requests",
    carry_out="rights.commands:carry_out",
    extend="rights.commands:extend",
    told="rights.commands:told",
    answer="rights.commands:answer",
)
_group(
    "disclosure",
    "Exceptional disclosure, where the law requires or permits it: asked, approved by two, made once.",
    ask="rights.exceptional_commands:ask",
    approve="rights.exceptional_commands:approve",
    reject="rights.exceptional_commands:reject",
    hand_over="rights.exceptional_commands:hand_over",
)
_group(
    "sandbox",
    "A synthetic programme with known truth.",
    run="sandbox.commands:run",
    population="sandbox.commands:population",
    feeds="sandbox.commands:feeds",
    registers="sandbox.commands:registers",
    waves="sandbox.commands:waves",
    canaries="sandbox.commands:canaries",
    bad_deliveries="sandbox.commands:bad_deliveries",
    reidentify="sandbox.commands:reidentify",
)


def main() -> None:
    """Entry point: errors a user may see become one line on stderr and their exit code."""
    # Before polars is imported, which passes it on: memory that was freed is used again for some seconds. Handed back to
    # the system after half a second, as by default, most of it was asked for again, at a tenth of the time of a large run.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:5000,muzzy_decay_ms:10000")
    try:
        app()
    except LinkageError as error:
        typer.echo(f"{error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        # What could not be written is still buffered, and would be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        typer.echo(
            "the disk is full and the output is cut short; what was done stands, make room and run again", err=True
        )
        sys.exit(4)
