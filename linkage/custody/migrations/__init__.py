"""The register's schema, step by step (Alembic)."""
