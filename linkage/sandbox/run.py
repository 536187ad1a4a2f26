"""One command for the whole sandbox: start the stack, play the programme, print what the stores say, stay or stop."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from linkage import settings, stack
from linkage.errors import CheckFailed, LinkageError
from linkage.sandbox import play, summary
from linkage.sandbox.airflow_api import Airflow
from linkage.sandbox.journal import Journal
from linkage.stack import StackAddresses

console = Console(stderr=True)


def run(once: bool) -> int:
    """Run or resume the sandbox; the exit code: 0 when every step ended well, else that of what stopped it."""
    conf = settings.load()
    mode: Literal["real", "sandbox"] = "real" if os.environ.get("LINKAGE_CLOCK") == "real" else "sandbox"
    begun = time.monotonic()
    try:
        Journal(conf.home).require_clock(mode)
        addresses = stack.start(conf.home, airflow=True, clock=mode)
        os.environ["LINKAGE_CLOCK"] = mode
        journal = Journal(conf.home)
        journal.require_clock(mode)
        console.print(f"Airflow: {addresses.ui_url}")
        journal.seconds["stack"] = round(time.monotonic() - begun, 1)
        with console.status("Waiting for Airflow to read the DAGs") as status:
            stage = _stage(addresses, journal, status)
            play.play(stage)
        journal.seconds["total"] = round(time.monotonic() - begun, 1)
        told = summary.collect(journal)
        path = summary.write(told)
        show(told, addresses)
        console.print(f"Summary: {path}")
        wrong = shortcomings(told)
        if wrong:
            raise CheckFailed("; ".join(wrong))
        if not once:
            _stay()
    except KeyboardInterrupt:
        console.print("Stopping; `make run` goes on from here.")
    except LinkageError as error:
        console.print(f"[red]Stopped:[/red] {error}")
        return error.exit_code
    finally:
        stack.stop(conf.home)
    return 0


def shortcomings(told: dict[str, Any]) -> list[str]:
    """What in a summary must not be: a promise broken, a certificate that does not verify, a ledger that does not hold."""
    wrong = []
    if told["holdings"]["overdue"]:
        wrong.append(f"{told['holdings']['overdue']} holdings are overdue (D1, D3)")
    if told["certificates"]["verified"] != told["certificates"]["issued"]:
        wrong.append("not every certificate verifies (D9)")
    if not told["ledger"]["ok"]:
        wrong.append("the ledger does not verify (D11)")
    if told["clock"] == "simulated" and not told["refused_after_deadline"]:
        wrong.append("no submission was refused after the programme's close (D3)")
    return wrong


def show(told: dict[str, Any], addresses: StackAddresses) -> None:
    """Print the summary as a table, and where to look."""
    table = Table(title=f"{told['programme']} ({told['clock']} clock)", show_header=False)
    accepted = sum(one["accepted"] for one in told["deliveries"].values())
    quarantined = sum(one["quarantined"] for one in told["deliveries"].values())
    table.add_row(
        "Deliveries", f"{len(told['deliveries'])} feeds, {accepted:,} rows accepted, {quarantined:,} in quarantine"
    )
    families = told["families"]
    table.add_row(
        "Families",
        f"{families['assessed']} assessed, {families['identified']} identified, {families['invited']} invited",
    )
    for name, one in told["match"].items():
        table.add_row(f"Match at {name}", f"precision {one['precision']}, recall {one['recall']} on the planted truth")
    table.add_row("Research file", f"{told['research_rows']} rows; {told['released_tables']} tables released")
    held = told["holdings"]
    table.add_row("Holdings", f"{held['held']} held, {held['destroyed']} destroyed, {held['overdue']} overdue")
    proof = told["certificates"]
    table.add_row("Certificates", f"{proof['issued']} issued, {proof['verified']} verified")
    table.add_row("Ledger", f"{told['ledger']['entries']} entries, {'unbroken' if told['ledger']['ok'] else 'BROKEN'}")
    for one in told["refusals"]:
        table.add_row("Refused", f"{one['rule']}: {one['flow']} on {one['date']}; the programme is closed")
    if told["clock"] == "real" and told["refusals"]:
        table.add_row("", "That is the promise kept, not a fault: Early Help goes on, the evaluation is over.")
    console.print(table)
    console.print(f"Look at it: {addresses.ui_url}")
    for user, password in addresses.users.items():
        console.print(f"  log in as [bold]{user}[/bold] with {password}", highlight=False)


def _stage(addresses: StackAddresses, journal: Journal, status: Any) -> play.Stage:
    users = addresses.users
    engineer = Airflow(addresses.ui_url, "engineer", users["engineer"])
    until = time.monotonic() + 120
    while not set(play.DAGS) <= engineer.dag_ids():
        broken = engineer.import_errors()
        if broken:
            raise LinkageError(f"DAG files that do not parse: {', '.join(broken)}; see the Airflow UI")
        if time.monotonic() > until:
            raise LinkageError("Airflow has not read the DAGs within two minutes; see the dag-processor's log")
        time.sleep(1)
    approvers = tuple(Airflow(addresses.ui_url, name, users[name]) for name in ("approver", "governance"))

    def tell(line: str) -> None:
        status.update(line)

    return play.Stage(engineer, approvers, journal, tell)


def _stay() -> None:
    console.print("The sandbox stays up; Ctrl-C stops it.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    while True:
        time.sleep(3600)
