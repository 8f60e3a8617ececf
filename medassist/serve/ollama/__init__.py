"""A read-only part of Ollama's API, for tools that speak no other."""
