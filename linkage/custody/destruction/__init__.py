"""Destruction on time: what falls due, step by step to the certificate, verified by another credential (D6, D7)."""
