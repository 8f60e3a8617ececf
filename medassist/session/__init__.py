"""One conversation with a pair, without a face: screen, `ask` and server stand on it."""
