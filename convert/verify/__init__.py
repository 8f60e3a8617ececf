"""The gate: whether a GGUF is the model that it was made from."""
