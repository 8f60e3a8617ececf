"""The screen of a measurement."""
