"""JATS, the XML of scientific articles: safely parsed, its text and licence taken."""
