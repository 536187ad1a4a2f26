"""The Retention page in Airflow's UI: what is held by whom, until when, and what was destroyed. No person is on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, Query
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, FileSystemLoader, select_autoescape

GUARD = Depends(requires_access_dag("GET", DagAccessEntity.TASK_LOGS, param_dag_id="retention_sweep"))
PAGE_SIZE = 100
_templates = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape())

# No schema or documentation routes: every route there is needs a right, and a page nobody listed cannot be forgotten.
app = FastAPI(title="Retention", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[GUARD])


@app.get("/", response_class=HTMLResponse)
def page(state: Annotated[str, Query(pattern="^(held|destroyed|overdue)$")] = "held", number: int = 1) -> HTMLResponse:
    """The page: counts by holder, and one state's holdings, the nearest deadline first."""
    from linkage.custody import overview

    told = overview.retention(state, page=max(number, 1), size=PAGE_SIZE)
    return HTMLResponse(_templates.get_template("retention.html").render(told=told))


@app.get("/holdings.json")
def holdings(
    state: Annotated[str, Query(pattern="^(held|destroyed|overdue)$")] = "held", number: int = 1
) -> JSONResponse:
    """The same, for programs."""
    from linkage.custody import overview

    return JSONResponse(overview.retention(state, page=max(number, 1), size=PAGE_SIZE).as_json())


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
