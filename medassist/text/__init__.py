"""Readers of text shared by several packages: quantities, sentences, licences."""
