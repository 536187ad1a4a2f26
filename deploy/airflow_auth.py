"""The auth manager of every deployment: FAB's roles, with approvals assigned to people by their log-in name."""

from __future__ import annotations

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User


class ApproverByNameFabAuthManager(FabAuthManager):
    """FAB numbers its users per database, so a DAG file cannot know their ids; a log-in name is the same everywhere.

    Airflow recognises FAB by the words in this class's name, which therefore must stay in it.
    """

    def is_authorized_hitl_task(self, *, assigned_users: set[str], user: User) -> bool:
        """Whether this user is one of those the approval was assigned to (R5)."""
        return user.username in assigned_users
