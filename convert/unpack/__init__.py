"""Unpacks a GGUF into the Hugging Face folder that it could have come from."""
