"""Eyes from outside: silence, overdue holdings, stores against register, identifiers where none may be (D12 to D14)."""
