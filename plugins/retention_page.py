"""The Retention page in Airflow's UI: what is held by whom, until when, and what was destroyed. No person is on it."""

from __future__ import annotations

import base64
import hashlib
import itertools
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.exceptions import HTTPException as AnyHTTPException

from linkage.errors import DependencyUnreachable, LinkageError, Misuse

GUARD = Depends(requires_access_dag("GET", DagAccessEntity.TASK_LOGS, param_dag_id="retention_sweep"))
PAGE_SIZE = 50
_HERE = Path(__file__).parent / "templates"
_templates = Environment(loader=FileSystemLoader(_HERE), autoescape=select_autoescape(), undefined=StrictUndefined)
_style = (_HERE / "retention.css").read_text(encoding="utf-8")
_style_hash = base64.b64encode(hashlib.sha256(_style.encode()).digest()).decode()
# Nothing is loaded from anywhere, no script runs, no other site may frame it, no cache keeps it.
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_style_hash}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_SAID = {
    401: "You are signed out. Sign in to Airflow, then open this page again.",
    403: "Your role may not see this page. It is for those who may read the logs of the retention sweep.",
    404: "There is no such page.",
    405: "This page is for reading only.",
}
READ = ["GET", "HEAD"]
EVERY = [*READ, "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]

# Every route there is needs a right, and so does every address and method for which there is none: the last route takes
# whatever no other took. No schema, no documentation, no redirects.
app = FastAPI(
    title="Retention", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, dependencies=[GUARD]
)


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
    return _html(request, "retention.html", told=told, states=overview_filter.STATES)


@app.api_route("/holdings.json", methods=READ)
def holdings(wanted: Filter, page: PageNumber = 1) -> Response:
    """The same, for programs."""
    from linkage.custody.overview import page as overview

    return JSONResponse(overview.retention(wanted, page, PAGE_SIZE).as_json(), headers=HEADERS)


@app.api_route("/holdings.csv", methods=READ)
def export(request: Request, wanted: Filter) -> Response:
    """Every holding the filter lets through, for a spreadsheet; written as it is read."""
    from linkage import clock
    from linkage.custody.overview import export as overview_export

    name = f"retention-{wanted.state}-{clock.today():%Y-%m-%d}.csv"
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
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

    return _html(request, "holding.html", told=overview_holding.story(holding_id))


@app.api_route("/certificates/{certificate_id}.json", methods=READ)
def signed_certificate(certificate_id: CertificateId) -> Response:
    """The signed document itself, to be checked offline with the `linkage` command."""
    from linkage.custody.overview import certificate as overview_certificate

    issued = overview_certificate.find(certificate_id)
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{issued.id}.json"'}
    return Response(issued.document, headers=headers, media_type="application/json")


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
    return _html(
        request,
        "certificate.html",
        issued=issued,
        simulated=bool(issued.told.get("simulated_clock")),
        summary=summary,
        sections=sections,
        checks=overview_certificate.look_again(issued) if verify else [],
        now=london(clock.now()),
    )


@app.api_route("/{address:path}", methods=EVERY)
def nothing(address: str) -> Response:  # noqa: ARG001
    """Whatever no route above answers, whichever the method: behind the guard like everything else."""
    raise HTTPException(HTTPStatus.NOT_FOUND)


@app.exception_handler(AnyHTTPException)
def _refused(request: Request, error: AnyHTTPException) -> Response:
    return _problem(request, error.status_code, _SAID.get(error.status_code, HTTPStatus(error.status_code).phrase))


@app.exception_handler(RequestValidationError)
def _misread(request: Request, _error: RequestValidationError) -> Response:
    """The framework would quote what was sent."""
    return _problem(request, 400, "The address of this page is not right. Go back to the list and start again.")


@app.exception_handler(LinkageError)
def _told(request: Request, error: LinkageError) -> Response:
    """Errors of the library name rules and holdings, never a value: their sentence can be shown."""
    if isinstance(error, DependencyUnreachable):
        return _problem(request, 503, "The register cannot be reached. Nothing was lost; try again in a few minutes.")
    from linkage.custody.overview.filter import Unknown

    status = 404 if isinstance(error, Unknown) else 400 if isinstance(error, Misuse) else 500
    said = str(error)
    return _problem(request, status, f"{said[:1].upper()}{said[1:]}.")


@app.middleware("http")
async def _unexpected(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """A fault of ours is a sentence for the reader and its place for the log, without the values in it."""
    try:
        return await answer(request)
    except Exception as error:
        last = error.__traceback__
        while last is not None and last.tb_next is not None:
            last = last.tb_next
        at = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last else "?"
        logging.getLogger(__name__).error("the Retention page failed: %s at %s", type(error).__name__, at)
        return _problem(
            request, 500, "Something is wrong with this page. Nothing was changed; tell whoever runs Airflow."
        )


def _html(request: Request, template: str, status: int = 200, **told: Any) -> HTMLResponse:
    base = request.scope.get("root_path", "").rstrip("/")
    from linkage.custody.overview.words import HOLDERS

    page = _templates.get_template(template).render(base=base, style=_style, holders=HOLDERS, **told)
    return HTMLResponse(page, status, headers=HEADERS)


def _problem(request: Request, status: int, said: str) -> Response:
    """A problem as a page for people, as JSON for programs."""
    if "text/html" in request.headers.get("accept", ""):
        return _html(request, "problem.html", status, said=said, number=status)
    return JSONResponse({"detail": said}, status, headers=HEADERS)


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
