"""
### Department match

**What flows.** A department accepts the sealed request (random references and tokens), tokenises its own register with the key
it was sent, matches on tokens only, and returns its attributes by reference to ONS, without identifiers (N7). Request,
tokens, workings and key are destroyed within the month by the retention sweep (N10).

**Who owns it.** The department's data sharing team. **Rules.** N7, N10, N13, D1, D10.

**The log names no person and counts none**: a record of how many took part is itself a record of participation.
"""

from __future__ import annotations

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowSkipException
from wiring import DEFAULTS, daily, loads_at, open_programme, say, step


def department_match(department: str):
    @dag(
        dag_id=f"department_match_{department}",
        schedule=daily("06:15"),
        catchup=False,
        max_active_runs=1,
        default_args=DEFAULTS | {"owner": f"{department} data sharing"},
        tags=[department, "evaluation", "daily"],
        doc_md=__doc__,
    )
    def build():
        @task
        @step
        def accept_request() -> list[str]:
            from linkage.evaluation import match_department

            open_programme(f"department_match_{department}")
            waves = match_department.accept(department)
            if not waves:
                raise AirflowSkipException("0 requests waiting")
            say("A sealed request was accepted; its month has begun (D2).")
            return waves

        @task(map_index_template="{{ task.op_kwargs['wave'] }}")
        @step
        def match_on_tokens(wave: str) -> str:
            from linkage.evaluation import match_department

            say(match_department.match(department, wave))
            return wave

        @task(map_index_template="{{ task.op_kwargs['wave'] }}")
        @step
        def return_attributes(wave: str) -> None:
            from linkage.evaluation import match_department

            say(match_department.return_attributes(department, wave))

        return_attributes.expand(wave=match_on_tokens.expand(wave=accept_request()))

    return build()


for name in ("dwp", "moj", "dfe"):
    if loads_at(name):
        department_match(name)
