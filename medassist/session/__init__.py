"""One conversation with a pair, without Textual: the screen and `ask` stand on it."""
