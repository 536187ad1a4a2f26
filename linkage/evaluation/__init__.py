"""The national evaluation: submission, department returns, linked file, research file (N5 to N12)."""
