"""Text and questions for training: read, cleaned, split, counted."""
