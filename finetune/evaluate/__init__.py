"""Base and tuned on the same held-out data: figures with intervals, item by item."""
