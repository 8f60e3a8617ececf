"""Makes the starter pair: a small base and two adapters."""
