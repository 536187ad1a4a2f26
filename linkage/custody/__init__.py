"""What exists, where, until when, and proof that it is gone: register, vault, keys, certificates, ledger."""
