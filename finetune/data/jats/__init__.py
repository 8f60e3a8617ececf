"""Reads JATS, the XML of scientific articles."""
