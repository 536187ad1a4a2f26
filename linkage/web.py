"""What every page in Airflow's UI has in common: guarded whole, read only, no script, problems in a sentence.

The page's own file under plugins/ brings its guard, routes and templates; this module knows neither Airflow nor data.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.exceptions import HTTPException as AnyHTTPException

from linkage.errors import DependencyUnreachable, LinkageError, Misuse, Unknown

READ = ["GET", "HEAD"]
EVERY = [*READ, "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


class Pages:
    """One application: every route there is needs the guard, and so does every address and method for which there is none."""

    def __init__(self, title: str, guard: Any, templates: Path, for_whom: str, **shared: Any) -> None:
        """`for_whom` says to a role that may not see the page whom it is for; `shared` is known to every template."""
        self.title = title
        self.shared = shared
        self._templates = Environment(
            loader=FileSystemLoader(templates), autoescape=select_autoescape(), undefined=StrictUndefined
        )
        self._style = (templates / "page.css").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        # Nothing is loaded from anywhere, no script runs, no other site may frame it, no cache keeps it.
        self.headers = {
            "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'self'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        self._said = {
            401: "You are signed out. Sign in to Airflow, then open this page again.",
            403: f"Your role may not see this page. {for_whom}",
            404: "There is no such page.",
            405: "This page is for reading only.",
        }
        # No schema, no documentation, no redirects.
        self.app = FastAPI(
            title=title, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, dependencies=[guard]
        )
        self.app.exception_handler(AnyHTTPException)(self._refused)
        self.app.exception_handler(RequestValidationError)(self._misread)
        self.app.exception_handler(LinkageError)(self._told)
        self.app.middleware("http")(self._unexpected)

    def close(self) -> None:
        """After the last route: whatever no route answers, whichever the method, is behind the guard like everything else."""

        def nothing(address: str) -> Response:  # noqa: ARG001
            raise HTTPException(HTTPStatus.NOT_FOUND)

        self.app.api_route("/{address:path}", methods=EVERY)(nothing)

    def html(self, request: Request, template: str, status: int = 200, **told: Any) -> HTMLResponse:
        """A page made from one of the templates."""
        base = request.scope.get("root_path", "").rstrip("/")
        page = self._templates.get_template(template)
        shown = page.render(base=base, style=self._style, page_title=self.title, **self.shared, **told)
        return HTMLResponse(shown, status, headers=self.headers)

    def file(self, name: str) -> dict[str, str]:
        """Headers of a file to keep."""
        return self.headers | {"Content-Disposition": f'attachment; filename="{name}"'}

    def _problem(self, request: Request, status: int, said: str) -> Response:
        """A problem as a page for people, as JSON for programs."""
        if "text/html" in request.headers.get("accept", ""):
            return self.html(request, "problem.html", status, said=said, number=status)
        return JSONResponse({"detail": said}, status, headers=self.headers)

    def _refused(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, AnyHTTPException) else 500
        return self._problem(request, status, self._said.get(status, HTTPStatus(status).phrase))

    def _misread(self, request: Request, _error: Exception) -> Response:
        """The framework would quote what was sent."""
        return self._problem(
            request, 400, "The address of this page is not right. Go back to the list and start again."
        )

    def _told(self, request: Request, error: Exception) -> Response:
        """Errors of the library name rules and holdings, never a value: their sentence can be shown."""
        if isinstance(error, DependencyUnreachable):
            return self._problem(
                request, 503, "The register cannot be reached. Nothing was lost; try again in a few minutes."
            )
        status = 404 if isinstance(error, Unknown) else 400 if isinstance(error, Misuse) else 500
        said = str(error)
        return self._problem(request, status, f"{said[:1].upper()}{said[1:]}.")

    async def _unexpected(self, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        """A fault of ours is a sentence for the reader and its place for the log, without the values in it."""
        try:
            return await answer(request)
        except Exception as error:
            last = error.__traceback__
            while last is not None and last.tb_next is not None:
                last = last.tb_next
            at = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}" if last else "?"
            logging.getLogger(__name__).error("the page %s failed: %s at %s", self.title, type(error).__name__, at)
            return self._problem(
                request, 500, "Something is wrong with this page. Nothing was changed; tell whoever runs Airflow."
            )
