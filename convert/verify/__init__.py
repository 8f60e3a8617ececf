"""The gate: verifies that a GGUF is the model it was made from."""
