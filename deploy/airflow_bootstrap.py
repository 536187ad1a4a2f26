"""Airflow's database, roles and log-ins in one process (each `airflow` command would take five seconds): idempotent.

Passwords come from AIRFLOW_UI_PASSWORD_<USER> variables and are set anew at each run: a changed secret takes effect.
"""

from __future__ import annotations

import os

READ, EDIT, MENU = "can_read", "can_edit", "menu_access"

# What every person at the UI needs: the site itself, their own profile, the pages that plugins add.
_ANYONE = {
    (READ, "Website"),
    (READ, "My Profile"),
    (EDIT, "My Profile"),
    (READ, "My Password"),
    (EDIT, "My Password"),
    (READ, "Plugins"),
    (MENU, "DAGs"),
    (MENU, "Browse"),
    (MENU, "HITL Detail"),
}
# How a run is followed: its tasks and their logs, never what they hand to each other (XCom), and no way to start one.
_FOLLOW = {
    (READ, "DAG Runs"),
    (READ, "DAG Versions"),
    (READ, "DAG Warnings"),
    (READ, "Task Instances"),
    (READ, "Task Logs"),
    (READ, "HITL Detail"),
}
# Airflow lets a person answer an approval only with "edit" on its DAG. That also allows pausing this one DAG and
# setting its tasks' states; neither releases anything, because the release step re-reads the approvals (R5).
_ANSWER = {(EDIT, "HITL Detail"), (READ, "DAG:results_release"), (EDIT, "DAG:results_release")}

ROLES = {
    "Governance": _ANYONE
    | _FOLLOW
    | _ANSWER
    | {
        (READ, "DAGs"),
        (READ, "DAG Dependencies"),
        (READ, "Assets"),
        (READ, "Asset Aliases"),
        (MENU, "Assets"),
        (MENU, "DAG Dependencies"),
    },
    "Approver": _ANYONE | _FOLLOW | _ANSWER,
}
USERS = {"engineer": "Op", "governance": "Governance", "approver": "Approver"}


def main() -> None:
    """Migrate, write the roles exactly as above, make or update the log-ins."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils import db
    from airflow.utils.providers_configuration_loader import providers_configuration_loaded

    @providers_configuration_loaded
    def bootstrap() -> None:
        db.upgradedb()
        with get_application_builder() as builder:
            manager = builder.sm
            builder.add_permissions(update_perms=True)
            manager.sync_roles()
            for name, wanted in ROLES.items():
                _write_role(manager, name, wanted)
            for name, role in USERS.items():
                _write_user(manager, name, role)

    bootstrap()


def _write_role(manager, name, wanted) -> None:  # noqa: ANN001
    """The role with exactly these permissions: what was granted by hand is taken away again (N20)."""
    role = manager.find_role(name) or manager.add_role(name)
    have = {(permission.action.name, permission.resource.name): permission for permission in role.permissions}
    for key in have.keys() - wanted:
        manager.remove_permission_from_role(role, have[key])
    for action, resource in wanted - have.keys():
        manager.add_permission_to_role(role, manager.create_permission(action, resource))


def _write_user(manager, name, role_name) -> None:  # noqa: ANN001
    password = os.environ[f"AIRFLOW_UI_PASSWORD_{name.upper()}"]
    role = manager.find_role(role_name)
    user = manager.find_user(username=name)
    if user is None:
        if not manager.add_user(name, name.capitalize(), "", f"{name}@sandbox.invalid", role, password=password):
            raise SystemExit(f"the log-in {name} could not be made")
        return
    user.roles = [role]
    manager.update_user(user)
    manager.reset_password(user.id, password)


if __name__ == "__main__":
    main()
