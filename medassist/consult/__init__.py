"""A consultation: turns, two panes with a history each. Pure Python, no I/O."""
