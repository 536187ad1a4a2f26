"""
### Evaluation submission

**What flows.** When a wave's day has come, the people of all assessed families (N5) become: an identity file for ONS's
identity custodian, an attribute file for its research store, compound tokens and a crosswalk of random references for its
linker, and one sealed request of tokens per department, which ONS relays and cannot open.

**Who owns it.** The authority's submission officer. **Rules.** N3, N5, N6, N13, N17, D3.

**When a step says D3.** The programme is closed: nothing is submitted and nothing can be. That is the promise, not a fault.
"""

from __future__ import annotations

from airflow.sdk import PartitionedAssetTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException
from wiring import DEFAULTS, FAMILIES_IDENTIFIED, as_of, loads_at, refuse_quietly, say, step

RECIPIENTS = ["ons-identity", "ons-research", "ons-linker", "dwp", "moj", "dfe"]


@dag(
    schedule=PartitionedAssetTimetable(assets=FAMILIES_IDENTIFIED),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"owner": "authority submission officer"},
    tags=["authority", "evaluation"],
    doc_md=__doc__,
)
def evaluation_submission():
    @task
    @step
    def wave_due() -> str:
        from linkage.errors import FlowRefused
        from linkage.evaluation import submit

        try:
            wave = submit.wave_to_send(as_of())
        except FlowRefused as error:
            refuse_quietly(error)
        if wave is None:
            raise AirflowSkipException("no wave is due, or it has been submitted already")
        say(f"Wave {wave} is due.")
        return wave

    @task
    @step
    def prepare(wave: str) -> str:
        from linkage.evaluation import submit

        made = submit.prepare_pack(wave)
        say(made.lines())
        return wave

    @task(max_active_tis_per_dagrun=2, map_index_template="{{ task.op_kwargs['recipient'] }}")
    @step
    def send(wave: str, recipient: str) -> None:
        from linkage.evaluation import submit

        say(submit.send_to(recipient, wave))

    send.partial(wave=prepare(wave_due())).expand(recipient=RECIPIENTS)


if loads_at("authority"):
    evaluation_submission()
