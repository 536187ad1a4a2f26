"""The six issues: evidence rows of each indicator, what counts towards a family, and what was not supplied (N2)."""

from linkage.early_help.issues.counting import count_issues
from linkage.early_help.issues.evidence import HITS, find_hits
from linkage.early_help.issues.silence import issue_statuses

__all__ = ["HITS", "count_issues", "find_hits", "issue_statuses"]
