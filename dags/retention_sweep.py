"""
### Retention sweep

**What flows.** Nothing flows: whatever falls due before the next sweep is destroyed, verified by another credential, and
certified. Each holding gets one plain sentence in the log: what, why, which rule, which deadline, how early or late, and
the certificate. "0 due" is said when nothing is.

**Who owns it.** Every holder, for its own stores. **Rules.** D1 to D10, D13, N10, N15.

**Do not backfill.** A run for an earlier date cannot postpone anything: the later of the real date and the run's counts.
"""

from __future__ import annotations

from airflow.sdk import dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from wiring import DEFAULTS, as_of, daily, say, step


@dag(
    schedule=daily("03:30"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"owner": "information governance", "retries": 5},
    tags=["retention", "daily", "governance"],
    doc_md=__doc__,
    allowed_run_types=["scheduled", "manual"],
)
def retention_sweep():
    @task
    @step
    def destroy_what_is_due() -> dict:
        from linkage import clock
        from linkage.custody.destruction import sweep
        from linkage.errors import DependencyUnreachable

        get_current_context()
        report = sweep.sweep(as_of=clock.at(as_of(), 3, 30), tell=say)
        if report.unreachable:
            raise DependencyUnreachable(f"{len(report.failed)} holdings could not be reached.")
        if not report.ok:
            raise AirflowFailException(
                f"{len(report.failed)} holdings not destroyed, {len(report.breaches)} breaches; see above"
            )
        return {"due": report.due, "destroyed": len(report.certificates)}

    @task
    @step
    def reconcile_stores() -> None:
        from linkage.custody.watch import reconcile

        report = reconcile.reconcile()
        say(report.lines)
        if report.incidents:
            raise AirflowFailException(f"{len(report.incidents)} differences between stores and register (D14)")

    @task
    @step
    def check_the_ledger() -> None:
        from linkage.custody.evidence import ledger

        state = ledger.verify_live()
        say(f"Ledger: {state['entries']:,} entries, {'unbroken' if state['ok'] else 'BROKEN'} (D11).")
        if not state["ok"]:
            raise AirflowFailException("the ledger does not verify (D11); see docs/runbooks")

    destroy_what_is_due() >> reconcile_stores() >> check_the_ledger()


retention_sweep()
