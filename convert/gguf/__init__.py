"""GGUF files: what a model becomes, written tensor by tensor."""
