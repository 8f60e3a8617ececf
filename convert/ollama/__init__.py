"""Settings of a model for Ollama, and publishing it."""
