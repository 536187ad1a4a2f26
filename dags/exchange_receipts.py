"""
### Exchange receipts

**What flows.** The keys that others seal for are made ahead and published. Then what this site sent is looked up: each transfer
gets one plain sentence, acknowledged, passed on, refused or late; what is late or was harmed on the way is sent again, which
changes nothing for a recipient that has it. Silence and refusals that sending again cannot mend raise an alert.

**Who owns it.** Each site's exchange desk. **Rules.** N14 (nothing is sent back: the sender looks, nobody answers), N17, D2, D10.

**No sentence names or counts a person**, only transfers.
"""

from __future__ import annotations

from airflow.sdk import dag, task
from wiring import DEFAULTS, as_of, daily, say, step


@dag(
    schedule=daily("04:15"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"owner": "exchange desk"},
    tags=["evaluation", "daily"],
    doc_md=__doc__,
)
def exchange_receipts():
    @task
    @step
    def publish_keys() -> None:
        from linkage.custody.keys.prepare import ready_for_others

        as_of()
        say(ready_for_others())

    @task
    @step
    def look_and_send_again() -> None:
        from linkage.custody.watch import alerts
        from linkage.evaluation import chase

        as_of()
        say(chase.chase())
        alerts.deliver()

    publish_keys() >> look_and_send_again()


exchange_receipts()
