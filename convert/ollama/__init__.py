"""A model for Ollama: its settings, and publishing it to a server."""
