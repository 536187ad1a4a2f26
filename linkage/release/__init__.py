"""The release gate: which tables may leave, how they are protected, and the proof that they hide whom they should (R1 to R5)."""
