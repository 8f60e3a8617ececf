"""Reads licence texts: names, and words that forbid or restrict."""
