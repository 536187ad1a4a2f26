"""The exact set of DAGs, by site."""

AUTHORITY = {"partner_deliveries", "early_help_families", "evaluation_submission", "subject_rights"}
ONS = {"evaluation_exchange", "research_linkage", "results_release"}
EVERY_SITE = {"exchange_receipts", "retention_sweep"}
BY_SITE = {
    "authority": AUTHORITY | EVERY_SITE,
    "ons": ONS | EVERY_SITE,
    **{name: {f"department_match_{name}"} | EVERY_SITE for name in ("dwp", "moj", "dfe")},
}
ALL = set().union(*BY_SITE.values())
