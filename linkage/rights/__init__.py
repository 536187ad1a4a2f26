"""What a person may ask of us: access, rectification, erasure, withdrawal, each with its clock (N21, S1 to S4)."""
