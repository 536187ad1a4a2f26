"""The `linkage` command: every package's commands under one roof, one exit code per kind of answer."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from linkage.custody import commands as custody
from linkage.custody.evidence import commands as evidence
from linkage.custody.keys import commands as keys
from linkage.custody.transfers import commands as transfers
from linkage.early_help import commands as early_help
from linkage.errors import LinkageError
from linkage.feeds import commands as feeds
from linkage.matching import commands as matching
from linkage.release import commands as release
from linkage.rights import commands as rights
from linkage.rights import exceptional_commands as disclosure
from linkage.sandbox import commands as sandbox
from linkage.stack import commands as stack
from linkage.tokens import commands as tokens

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Linkage on tokens, promises kept by date, destruction that is proved. Exit codes: 0 done; 1 a check said no; "
    "2 usage; 3 a rule refused; 4 a dependency is unreachable, nothing was lost, run again.",
)

app.command("link")(matching.link)
app.command("match")(matching.match)
app.command("tokenise")(tokens.tokenise)
app.command("families")(early_help.families)
app.command("partner-list")(early_help.partner_list)
app.command("family-list")(early_help.list_out)
app.command("deadline")(custody.deadline)
app.command("holdings")(custody.holdings)
app.command("sweep")(custody.sweep)
app.command("watchdog")(custody.watchdog)
app.command("reconcile")(custody.reconcile)
app.command("leaks")(custody.leaks)
app.command("transfers")(transfers.transfers)


class _Group(TyperGroup):
    """A group of commands. Where one is called `show`, what names no command is what to show."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`linkage certificate HOLDING` means `linkage certificate show HOLDING`."""
        if "show" in self.commands and args and args[0] not in (*self.commands, "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


def _group(name: str, summary: str, /, **commands: object) -> None:
    group = typer.Typer(cls=_Group, no_args_is_help=True, help=summary)
    for command, function in commands.items():
        group.command(command.replace("_", "-"))(function)  # type: ignore[type-var]
    app.add_typer(group, name=name)


_group(
    "feeds",
    "Partner deliveries and their contracts.",
    check=feeds.check,
    list=feeds.list_feeds,
    retrieve=feeds.retrieve,
    errors=feeds.errors,
    held=feeds.held_deliveries,
    confirm=feeds.confirm,
    reject=feeds.reject,
    refresh=feeds.refresh,
)
_group(
    "certificate",
    "Certificates of destruction: `linkage certificate HOLDING` shows one.",
    show=evidence.certificate_show,
    verify=evidence.certificate_verify,
    key=evidence.certificate_key,
)
_group(
    "ledger",
    "The tamper-evident ledger: exported, proved and verified offline.",
    verify=evidence.ledger_verify,
    export=evidence.ledger_export,
    prove=evidence.ledger_prove,
    consistency=evidence.ledger_consistency,
    key=evidence.ledger_key,
)
_group(
    "keys",
    "The key service.",
    prepare=keys.prepare,
    snapshot=keys.snapshot,
    snapshots=keys.list_snapshots,
    expire=keys.expire,
)
_group("hold", "Legal holds.", place=custody.hold_place, lift=custody.hold_lift, list=custody.hold_list)
_group("release", "The release gate.", check=release.check, query=release.query)
_group("stack", "The embedded stack.", start=stack.start, stop=stack.stop, status=stack.status, join=stack.join)
_group(
    "site",
    "Between organisations: whose signature counts, and what waits.",
    card=transfers.card,
    trust=transfers.trusted,
    receive=transfers.receive,
)
_group(
    "rights",
    "Requests of the people themselves.",
    access=rights.access,
    rectify=rights.rectify,
    erase=rights.erase,
    withdraw=rights.withdraw,
    list=rights.list_requests,
    carry_out=rights.carry_out,
    extend=rights.extend,
    told=rights.told,
    answer=rights.answer,
)
_group(
    "disclosure",
    "Exceptional disclosure, where the law requires or permits it: asked, approved by two, made once.",
    ask=disclosure.ask,
    approve=disclosure.approve,
    reject=disclosure.reject,
    hand_over=disclosure.hand_over,
)
_group(
    "sandbox",
    "A synthetic programme with known truth.",
    run=sandbox.run,
    population=sandbox.population,
    feeds=sandbox.feeds,
    registers=sandbox.registers,
    waves=sandbox.waves,
    canaries=sandbox.canaries,
    bad_deliveries=sandbox.bad_deliveries,
    reidentify=sandbox.reidentify,
)


def main() -> None:
    """Entry point: errors a user may see become one line on stderr and their exit code."""
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
