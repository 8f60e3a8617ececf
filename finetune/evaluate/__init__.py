"""Compares base and tuned model on held-out data, with intervals."""
