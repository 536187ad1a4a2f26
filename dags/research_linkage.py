"""
### Research linkage (ONS)

**What flows.** The linker turns the crosswalk into an index of fresh research ids; the research store accepts the departments'
returns, joins them to the attribute file, drops every reference, de-identifies and measures what remains (N12).

**Who owns it.** ONS's linker and analyst, who never see identifiers. **Rules.** N7, N8, N12, N13, D3, D4.
"""

from __future__ import annotations

from airflow.sdk import dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException
from wiring import DEFAULTS, RESEARCH_FILE_READY, as_of, daily, loads_at, open_programme, say, step


@dag(
    schedule=daily("07:00"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"owner": "ons linker and analyst"},
    tags=["ons", "evaluation", "daily"],
    doc_md=__doc__,
)
def research_linkage():
    @task
    @step
    def waves_to_link() -> list[str]:
        from linkage.evaluation import link

        open_programme("research_linkage")
        waves = link.waves_to_link()
        if not waves:
            raise AirflowSkipException("0 waves have everything that linking needs")
        return waves

    @task(map_index_template="{{ task.op_kwargs['wave'] }}")
    @step
    def index(wave: str) -> str:
        from linkage.evaluation import link

        say(link.send_index(wave))
        return wave

    @task(map_index_template="{{ task.op_kwargs['wave'] }}")
    @step
    def link_returns(wave: str) -> str:
        from linkage.evaluation import link

        say(link.link_returns(wave))
        return wave

    @task(map_index_template="{{ task.op_kwargs['wave'] }}", outlets=[RESEARCH_FILE_READY])
    @step
    def deidentify(wave: str) -> None:
        from linkage.evaluation import link

        say(link.deidentify_wave(wave))
        get_current_context()["outlet_events"][RESEARCH_FILE_READY].add_partitions(as_of().isoformat())

    deidentify.expand(wave=link_returns.expand(wave=index.expand(wave=waves_to_link())))


if loads_at("ons"):
    research_linkage()
