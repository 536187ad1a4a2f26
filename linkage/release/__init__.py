"""The release gate: which tables may leave, how they are protected, and the proof of it (R1 to R5)."""
