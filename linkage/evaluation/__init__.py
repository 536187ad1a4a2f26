"""The national evaluation: submission, department request and return, linked file, de-identified research file (N5 to N12)."""
