"""
### Subject rights

**What flows.** Requests that were entered with `linkage rights` (access, rectify, erase, withdraw) are carried out: copies for
the person, corrections and erasures in every store that still holds them, a keyed suppression entry for who withdraws.

**Who owns it.** The authority's information governance team. **Rules.** N21, S1 to S4.

**The log names nobody**: requests are spoken of by their number, with the date by which the law wants an answer.
"""

from __future__ import annotations

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException
from wiring import DEFAULTS, as_of, daily, loads_at, say, step


@dag(
    schedule=daily("08:00"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"owner": "authority information governance"},
    tags=["authority", "rights", "daily"],
    doc_md=__doc__,
)
def subject_rights():
    @task
    @step
    def open_requests() -> list[str]:
        from linkage.rights import requests

        as_of()
        waiting = requests.waiting()
        say(f"{len(waiting)} requests are open.")
        if not waiting:
            raise AirflowSkipException("0 requests open")
        return waiting

    @task(map_index_template="{{ task.op_kwargs['request'] }}")
    @step
    def carry_out(request: str) -> None:
        from linkage.rights import requests

        say(requests.carry_out(request))

    carry_out.expand(request=open_requests())


if loads_at("authority"):
    subject_rights()
