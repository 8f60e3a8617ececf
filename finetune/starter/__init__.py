"""The starter pair: a small base and two adapters of our own, from text alone."""
