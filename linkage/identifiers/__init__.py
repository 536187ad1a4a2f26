"""Standardising identifiers, judging their validity, splitting them from attributes (N6, N13)."""
