"""Benchmarks: quality and speed as figures of one run, with the command that makes them."""
