"""One conversation with a pair, independent of Textual."""
