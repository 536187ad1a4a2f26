"""Object stores: as one principal sees them, and where copies lie."""
