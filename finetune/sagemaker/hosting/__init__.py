"""An endpoint that answers as base and as tuned, and goes by itself."""
