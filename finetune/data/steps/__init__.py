"""Processing steps for records: pure functions."""
