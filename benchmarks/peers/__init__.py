"""What this project is measured against, one script each, run by `benchmarks.peer_runs` in the peers' own environment."""
