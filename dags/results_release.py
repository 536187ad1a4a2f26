"""
### Results release (ONS to MHCLG)

**What flows.** Authority-level tables, and the comparison of families with and without the programme, are built from the research
file, protected by the release gate (R1 to R4), read and
approved by two people who did not make them (R5), and only then sent. The release step looks the approvals up again for
the exact tables it sends: marking a task as success releases nothing.

**Who owns it.** ONS's releaser. **Rules.** N14, N16, R1 to R5.

**To approve**: open the run, read the findings in the task log, answer the question assigned to you.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import PartitionedAssetTimetable, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException
from wiring import DEFAULTS, RESEARCH_FILE_READY, as_of, loads_at, refuse_quietly, say, step

APPROVERS = ["approver", "governance"]


class RecordedApproval(ApprovalOperator):
    """An approval that is written to the release register the moment it is given, with who gave it for which tables."""

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        from linkage.release import approvals

        proposal = context["ti"].xcom_pull(task_ids="propose_tables")
        approvals.record(
            proposal,
            str((event.get("responded_by_user") or {}).get("name") or ""),
            list(event.get("chosen_options") or []),
        )
        return super().execute_complete(context, event)


@dag(
    schedule=PartitionedAssetTimetable(assets=RESEARCH_FILE_READY),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"owner": "ons releaser"},
    tags=["ons", "mhclg", "evaluation", "approval"],
    doc_md=__doc__,
)
def results_release():
    @task
    @step
    def propose_tables() -> str:
        from linkage.errors import FlowRefused
        from linkage.release import register

        author = get_current_context()["dag_run"].triggering_user_name or "schedule"
        try:
            proposed = register.propose(as_of(), author)
        except FlowRefused as error:
            refuse_quietly(error)
        say(proposed.lines)
        if proposed.proposal is None:
            raise AirflowSkipException("0 tables to release")
        return proposed.proposal

    def approval(approver: str) -> ApprovalOperator:
        return RecordedApproval(
            task_id=f"approval_of_{approver}",
            subject="Release of authority-level tables to MHCLG",
            body="Proposal {{ ti.xcom_pull(task_ids='propose_tables') }}: read the findings in the log of propose_tables.",
            assigned_users=[{"id": approver, "name": approver}],
            fail_on_reject=True,
        )

    @task
    @step
    def release(proposal: str) -> None:
        from linkage.release import register

        say(register.release(proposal))

    @task
    @step
    def deliver() -> None:
        from linkage.release import register

        say(register.deliver())

    proposal = propose_tables()
    first, second = (approval(name) for name in APPROVERS)
    proposal >> [first, second] >> (released := release(proposal)) >> deliver()  # noqa: F841


if loads_at("ons"):
    results_release()
