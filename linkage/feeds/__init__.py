"""Partner deliveries: what each feed may contain, what is wrong with a file, and what is kept of it (N1, N3)."""
