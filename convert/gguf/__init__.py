"""Writes and reads GGUF files."""
