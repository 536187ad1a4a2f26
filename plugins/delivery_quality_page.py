"""The page of delivery quality in Airflow's UI: what each feed brought and what was wrong with it. Counts, no value."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response

from linkage.web import READ, Pages

GUARD = Depends(requires_access_dag("GET", DagAccessEntity.TASK_LOGS, param_dag_id="partner_deliveries"))
PAGE_SIZE = 25
pages = Pages(
    "Delivery quality",
    GUARD,
    Path(__file__).parent / "templates",
    "It is for those who may read the logs of the partner deliveries.",
)
app = pages.app

PageNumber = Annotated[int, Query(ge=1, le=100_000)]
FeedName = Annotated[str, InPath(pattern=r"^[a-z_]{1,40}$")]
OfFeed = Annotated[str, Query(pattern=r"^[a-z_]{0,40}$")]


@app.api_route("/", methods=READ)
def overview(request: Request) -> Response:
    """Every feed with its last delivery, and what waits for a person."""
    from linkage.feeds import quality_page

    return pages.html(request, "deliveries.html", told=quality_page.overview())


@app.api_route("/feeds/{feed}", methods=READ)
def feed(request: Request, feed: FeedName, page: PageNumber = 1) -> Response:
    """One feed: deliveries, reasons, coverage, mix, limits, what is not kept."""
    from linkage.feeds import quality_page

    return pages.html(request, "feed.html", told=quality_page.feed_page(feed, page, PAGE_SIZE))


@app.api_route("/deliveries.csv", methods=READ)
def export(feed: OfFeed = "") -> Response:
    """Every checked delivery, or those of one feed, for a spreadsheet."""
    from linkage import clock
    from linkage.feeds import quality_page

    lines = "".join(quality_page.csv_lines(feed or None))
    name = f"deliveries-{feed or 'all'}-{clock.today():%Y-%m-%d}.csv"
    return Response(lines, headers=pages.file(name), media_type="text/csv")


pages.close()


class DeliveryQualityPlugin(AirflowPlugin):
    """Mounts the page and puts it into the navigation."""

    name = "delivery_quality"
    fastapi_apps = [{"app": app, "url_prefix": "/delivery-quality", "name": "Delivery quality"}]
    external_views = [
        {
            "name": "Delivery quality",
            "href": "delivery-quality/",
            "destination": "nav",
            "category": "browse",
            "url_route": "delivery-quality",
        }
    ]
