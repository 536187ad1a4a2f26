"""From identifiers to keyed tokens: keys, match-keys, tokenisation and what a token file leaks."""
