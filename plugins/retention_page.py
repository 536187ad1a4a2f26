"""The Retention page in Airflow's UI: what is held by whom, until when, and what was destroyed. No person is on it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, Query, Request
from fastapi import Path as InPath
from fastapi.responses import JSONResponse, Response, StreamingResponse

from linkage.custody.overview.words import HOLDERS
from linkage.web import READ, Pages

GUARD = Depends(requires_access_dag("GET", DagAccessEntity.TASK_LOGS, param_dag_id="retention_sweep"))
PAGE_SIZE = 50
pages = Pages(
    "Retention",
    GUARD,
    Path(__file__).parent / "templates",
    "It is for those who may read the logs of the retention sweep.",
    holders=HOLDERS,
)
app = pages.app


def _wanted(
    state: Annotated[str, Query(max_length=16)] = "",
    holder: Annotated[str, Query(max_length=64)] = "",
    dataset_class: Annotated[str, Query(max_length=64, alias="class")] = "",
    search: Annotated[str, Query(max_length=64)] = "",
) -> Any:
    from linkage.custody.overview.filter import Wanted

    return Wanted.of(state, holder, dataset_class, search)


Filter = Annotated[Any, Depends(_wanted)]
PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]
HoldingId = Annotated[str, InPath(pattern=r"^hld_[0-9a-f]{1,36}$")]
CertificateId = Annotated[str, InPath(pattern=r"^crt_[0-9a-f]{1,36}$")]


@app.api_route("/", methods=READ)
def page(request: Request, wanted: Filter, page: PageNumber = 1) -> Response:
    """The page: what needs a person, counts by holder, and one page of the holdings asked for."""
    from linkage.custody.overview import filter as overview_filter
    from linkage.custody.overview import page as overview

    told = overview.retention(wanted, page, PAGE_SIZE)
    return pages.html(request, "retention.html", told=told, states=overview_filter.STATES)


@app.api_route("/holdings.json", methods=READ)
def holdings(wanted: Filter, page: PageNumber = 1) -> Response:
    """The same, for programs."""
    from linkage.custody.overview import page as overview

    return JSONResponse(overview.retention(wanted, page, PAGE_SIZE).as_json(), headers=pages.headers)


@app.api_route("/holdings.csv", methods=READ)
def export(request: Request, wanted: Filter) -> Response:
    """Every holding the filter lets through, for a spreadsheet; written as it is read."""
    from linkage import clock
    from linkage.custody.overview import export as overview_export

    name = f"retention-{wanted.state}-{clock.today():%Y-%m-%d}.csv"
    headers = pages.file(name)
    if request.method == "HEAD":
        return Response(headers=headers, media_type="text/csv")
    lines = overview_export.rows(wanted)
    # What can fail fails before the answer has begun.
    begun = list(itertools.islice(lines, 2))
    return StreamingResponse(itertools.chain(begun, lines), headers=headers, media_type="text/csv; charset=utf-8")


@app.api_route("/holdings/{holding_id}", methods=READ)
def holding(request: Request, holding_id: HoldingId) -> Response:
    """One holding's story."""
    from linkage.custody.overview import holding as overview_holding

    return pages.html(request, "holding.html", told=overview_holding.story(holding_id))


@app.api_route("/certificates/{certificate_id}.json", methods=READ)
def signed_certificate(certificate_id: CertificateId) -> Response:
    """The signed document itself, to be checked offline with the `linkage` command."""
    from linkage.custody.overview import certificate as overview_certificate

    issued = overview_certificate.find(certificate_id)
    return Response(issued.document, headers=pages.file(f"{issued.id}.json"), media_type="application/json")


@app.api_route("/certificates/{certificate_id}", methods=READ)
def certificate(
    request: Request, certificate_id: CertificateId, verify: Annotated[str, Query(pattern="^(now)?$")] = ""
) -> Response:
    """A certificate to read; with `verify=now` also looked at again, as the verifier."""
    from linkage import clock
    from linkage.custody.overview import certificate as overview_certificate
    from linkage.custody.overview.words import london

    issued = overview_certificate.find(certificate_id)
    summary, sections = overview_certificate.readable(issued)
    return pages.html(
        request,
        "certificate.html",
        issued=issued,
        simulated=bool(issued.told.get("simulated_clock")),
        summary=summary,
        sections=sections,
        checks=overview_certificate.look_again(issued) if verify else [],
        now=london(clock.now()),
    )


pages.close()


class RetentionPlugin(AirflowPlugin):
    """Mounts the page and puts it into the navigation."""

    name = "retention"
    fastapi_apps = [{"app": app, "url_prefix": "/retention", "name": "Retention"}]
    external_views = [
        {
            "name": "Retention",
            "href": "retention/",
            "destination": "nav",
            "category": "browse",
            "url_route": "retention",
        }
    ]
