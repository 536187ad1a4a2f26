"""Who is identified: people to families, six issues, ranking (N2 to N4), never from evaluation data (N9)."""
