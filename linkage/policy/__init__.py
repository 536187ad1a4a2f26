"""Rules as data: the programme files, what they allow, and when they say that data must be gone."""

from linkage.policy.deadlines import Deadline
from linkage.policy.loader import load, own_authority, own_store, read
from linkage.policy.mistakes import PolicyMistake
from linkage.policy.programme import PermittedFlow, Programme

__all__ = ["Deadline", "PermittedFlow", "PolicyMistake", "Programme", "load", "own_authority", "own_store", "read"]
