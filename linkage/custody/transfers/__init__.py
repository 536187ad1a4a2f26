"""Sealed transfers between stores: send, relay, receive. A sender only wraps, a relay opens nothing."""

from linkage.custody.transfers.inbox import receive, relay
from linkage.custody.transfers.sealing import Transfer, holding_id, secrets_of, send, transfer_id

__all__ = ["Transfer", "holding_id", "receive", "relay", "secrets_of", "send", "transfer_id"]
