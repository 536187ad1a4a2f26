"""Matching people on tokens alone: candidate pairs, evidence, weights, hazards and one-to-one links."""
