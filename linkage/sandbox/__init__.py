"""A synthetic borough with known truth: families, partner deliveries, department registers and canaries."""
