"""Translates a chat template (Jinja) to a Modelfile's TEMPLATE (Go), exactly.

`source` reads what a model folder or a GGUF says of itself, `derive` finds what its
template writes around turns by asking it, `write` puts that into Go's words.
"""
