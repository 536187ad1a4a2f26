"""
### Evaluation exchange (ONS)

**What flows.** ONS accepts what the authority sent, each role its own part: the custodian the identity file, the linker tokens
and crosswalk, the research store the attribute file. The relay passes the sealed requests on to DWP, MoJ and DfE; it
cannot open them and keeps no copy.

**Who owns it.** ONS's exchange desk. **Rules.** N13, N17, D2 (the first copy starts the clock), D3.
"""

from __future__ import annotations

from airflow.sdk import dag, task
from wiring import DEFAULTS, daily, loads_at, open_programme, say, step


@dag(
    schedule=daily("05:45"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"owner": "ons exchange desk"},
    tags=["ons", "evaluation", "daily"],
    doc_md=__doc__,
)
def evaluation_exchange():
    @task
    @step
    def programme_is_open() -> None:
        open_programme("evaluation_exchange")

    @task(map_index_template="{{ task.op_kwargs['store'] }}", max_active_tis_per_dagrun=2)
    @step
    def accept(store: str) -> None:
        from linkage.evaluation import exchange

        say(exchange.accept(store))

    @task
    @step
    def relay() -> None:
        from linkage.evaluation import exchange

        say(exchange.relay())

    programme_is_open() >> [accept.expand(store=["ons-identity", "ons-linker", "ons-research"]), relay()]


if loads_at("ons"):
    evaluation_exchange()
