"""Evidence that outlives the data: the ledger and its proofs, certificates of destruction, checked offline (D9 to D11)."""
