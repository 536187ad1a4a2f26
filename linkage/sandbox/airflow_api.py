"""A small client of Airflow's public REST API: trigger a run, follow it, answer an approval, as a named user."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date
from typing import Any

from linkage.errors import CheckFailed, DependencyUnreachable

DONE = {"success", "failed"}


class Airflow:
    """The API as one user; logs in by itself and again when its token has run out."""

    def __init__(self, url: str, user: str, password: str) -> None:
        import httpx

        self.user = user
        self._password = password
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=30)

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False})

    def dag_ids(self) -> set[str]:
        """The DAGs that Airflow has parsed."""
        return {dag["dag_id"] for dag in self._call("GET", "/api/v2/dags", params={"limit": 200})["dags"]}

    def import_errors(self) -> list[str]:
        """File names of DAG files that do not parse."""
        told = self._call("GET", "/api/v2/importErrors", params={"limit": 50})
        return [str(one["filename"]).rsplit("/", 1)[-1] for one in told["import_errors"]]

    def trigger(self, dag_id: str, day: date, kind: str = "sandbox") -> str:
        """Start the DAG's run for a date, once per kind: one that exists already is returned, cleared if it failed."""
        run_id = f"{kind}__{day}"
        known = [run for run in self.runs(dag_id, day) if run["dag_run_id"] == run_id]
        if known:
            return self.revive(dag_id, known[-1])
        body = {"dag_run_id": run_id, "logical_date": None, "partition_key": day.isoformat()}
        return str(self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def revive(self, dag_id: str, run: dict[str, Any]) -> str:
        """The run's id; a run that failed is set to try its failed tasks again."""
        run_id = str(run["dag_run_id"])
        if run["state"] == "failed":
            body = {"dry_run": False, "only_failed": True}
            self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/clear", json=body)
        return run_id

    def runs(self, dag_id: str, day: date) -> list[dict[str, Any]]:
        """The DAG's runs for a date, oldest first."""
        told = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns", params={"limit": 100, "order_by": "run_after"})
        return [run for run in told["dag_runs"] if run.get("partition_key") == day.isoformat()]

    def wait(
        self, dag_id: str, day: date, seconds: int, told: Callable[[str], None], run_id: str | None = None
    ) -> dict[str, Any]:
        """Follow the DAG's run for a date (the one with `run_id`, or the latest) until it ends; it and its task states.

        Raises CheckFailed when it failed, naming the tasks, or did not end in time.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            runs = [run for run in self.runs(dag_id, day) if run_id in (None, run["dag_run_id"])]
            if runs:
                run = runs[-1]
                states = self.task_states(dag_id, str(run["dag_run_id"]))
                ended = sum(state in {"success", "skipped", "failed", "upstream_failed"} for _, state in states)
                told(f"{dag_id} {day}: {ended} of {len(states)} tasks done")
                if run["state"] in DONE:
                    return self._judged(dag_id, day, run, states)
            else:
                told(f"{dag_id} {day}: waiting for its turn")
            time.sleep(0.7)
        raise CheckFailed(
            f"{dag_id} did not end within {seconds} s; look at its tasks in the Airflow UI, then run again"
        )

    def task_states(self, dag_id: str, run_id: str) -> list[tuple[str, str]]:
        """(task id, state) of every task instance of a run."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        told = self._call("GET", path, params={"limit": 200})
        return [(str(one["task_id"]), str(one["state"])) for one in told["task_instances"]]

    def questions(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Approvals of a run that wait for this user's answer."""
        told = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/hitlDetails", params={"limit": 50})
        mine = []
        for one in told["hitl_details"]:
            assigned = [user["id"] for user in one.get("assigned_users") or []]
            if not one["response_received"] and self.user in assigned:
                mine.append(one["task_instance"])
        return mine

    def answer(self, instance: dict[str, Any], option: str) -> None:
        """Give an answer to a waiting approval."""
        path = (
            f"/api/v2/dags/{instance['dag_id']}/dagRuns/{instance['dag_run_id']}"
            f"/taskInstances/{instance['task_id']}/{instance['map_index']}/hitlDetails"
        )
        self._call("PATCH", path, json={"chosen_options": [option], "params_input": {}})

    def _judged(self, dag_id: str, day: date, run: dict[str, Any], states: list[tuple[str, str]]) -> dict[str, Any]:
        if run["state"] == "failed":
            failed = sorted({task for task, state in states if state in {"failed", "upstream_failed"}})
            raise CheckFailed(f"{dag_id} failed for {day} at {', '.join(failed)}; its task log says why")
        return {**run, "tasks": states}

    def _call(self, method: str, path: str, **more: Any) -> Any:
        import httpx

        for attempt in range(4):
            try:
                answer = self._http.request(method, path, headers=self._headers(), **more)
            except httpx.TransportError:
                if attempt == 3:
                    raise DependencyUnreachable("Airflow's API server does not answer; run again") from None
                time.sleep(2)
                continue
            if answer.status_code == 401:
                self._http.headers.pop("Authorization", None)
                continue
            if answer.status_code >= 500 and attempt < 3:
                time.sleep(2)
                continue
            if answer.status_code >= 400:
                raise CheckFailed(f"Airflow answered {answer.status_code} to {method} {path} as user {self.user}")
            return answer.json() if answer.content else {}
        raise DependencyUnreachable("Airflow's API server refuses the sandbox's log-in; run `make clean-sandbox`")

    def _headers(self) -> dict[str, str]:
        if "Authorization" not in self._http.headers:
            body = {"username": self.user, "password": self._password}
            answer = self._http.post("/auth/token", json=body)
            if answer.status_code >= 400:
                raise CheckFailed(f"the log-in of user {self.user} was refused ({answer.status_code})")
            self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return {}
