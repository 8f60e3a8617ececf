"""A consultation: turns, verdicts and differences. Pure Python, no I/O."""
