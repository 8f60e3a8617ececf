"""One conversation with a pair, without a face; screen and `ask` stand on it."""
