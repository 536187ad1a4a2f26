"""
### Partner deliveries

**What flows.** Files that partners left in the authority's landing folders or its landing bucket (health, schools, children's
services, police, probation, housing, Jobcentre Plus, direct referrals, and the authority's own case management) go through
their contract into the vault. Bad rows go to quarantine with a reason code; a file that breaks its contract is refused, kept
encrypted until its own deadline, and shows as one red task. The other feeds go on.

**Who owns it.** The authority's data engineers. **Rules.** N1, N3, D2, D16.

**When a task is red.** Read its last line: it names the feed, the reason and what the partner should send. A corrected file
in the same place is taken in by the next run; nothing needs to be cleared by hand.
"""

from __future__ import annotations

from airflow.sdk import dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from wiring import DEFAULTS, DELIVERIES_ACCEPTED, as_of, daily, loads_at, say, step


@dag(
    schedule=daily("04:30"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"owner": "authority data engineering"},
    tags=["authority", "early-help", "daily"],
    doc_md=__doc__,
)
def partner_deliveries():
    @task
    @step
    def look_in_the_landing_folders() -> list[str]:
        from linkage.feeds import receipt

        as_of()
        feeds = receipt.waiting()
        say(f"{len(feeds)} feeds have a delivery waiting: {', '.join(feeds) or 'none'}.")
        if not feeds:
            raise AirflowSkipException("0 deliveries waiting")
        return feeds

    @task(retries=1, map_index_template="{{ task.op_kwargs['feed'] }}", max_active_tis_per_dagrun=2)
    @step
    def receive(feed: str) -> dict:
        from linkage.feeds import receipt

        receipts = receipt.receive(feed, as_of())
        say([one.line() for one in receipts])
        bad = [one for one in receipts if one.outcome in {"refused", "held"}]
        if bad:
            raise AirflowFailException(" ".join(one.line() for one in bad))
        return {"feed": feed, "accepted": sum(one.outcome == "accepted" for one in receipts)}

    @task(trigger_rule="all_done", outlets=[DELIVERIES_ACCEPTED])
    @step
    def report(received: list[dict]) -> None:
        feeds = [one["feed"] for one in received or [] if one and one["accepted"]]
        say(f"New deliveries in force: {len(feeds)} ({', '.join(feeds) or 'none'}).")
        if not feeds:
            raise AirflowSkipException("nothing new was accepted, so nothing downstream needs to run")
        get_current_context()["outlet_events"][DELIVERIES_ACCEPTED].add_partitions(as_of().isoformat())

    report(receive.expand(feed=look_in_the_landing_folders()))


if loads_at("authority"):
    partner_deliveries()
