"""The embedded stack: PostgreSQL, SeaweedFS, OpenBao and Airflow, real servers on loopback, kept up by a supervisor."""

from linkage.stack.lifecycle import ServiceStatus, StackAddresses, start, status, stop

__all__ = ["ServiceStatus", "StackAddresses", "start", "status", "stop"]
