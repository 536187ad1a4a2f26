"""
### Early Help families

**What flows.** The deliveries in force become people, families and the six issues; families with two or more different
issues are identified (N2), those with the most pressing needs are ranked for an invitation (N4). The list and its evidence
stay encrypted at the authority.

**Who owns it.** The Early Help team. **Rules.** N2, N4, N9 (nothing of the evaluation is read here), D16.

**Runs** after each day's accepted deliveries, once per date. Running it again for a date gives the same list.
"""

from __future__ import annotations

from airflow.sdk import PartitionedAssetTimetable, dag, get_current_context, task
from wiring import DEFAULTS, DELIVERIES_ACCEPTED, FAMILIES_IDENTIFIED, as_of, loads_at, say, step


@dag(
    schedule=PartitionedAssetTimetable(assets=DELIVERIES_ACCEPTED),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"owner": "early help team"},
    tags=["authority", "early-help"],
    doc_md=__doc__,
)
def early_help_families():
    @task(outlets=[FAMILIES_IDENTIFIED])
    @step
    def identify_families() -> dict:
        from linkage.early_help import daily as early_help

        made = early_help.identify(as_of())
        say(made.lines())
        get_current_context()["outlet_events"][FAMILIES_IDENTIFIED].add_partitions(as_of().isoformat())
        return {"assessed": made.assessed, "identified": made.identified, "invited": made.invited}

    identify_families()


if loads_at("authority"):
    early_help_families()
