"""Training: a LoRA on a base model, from a run folder's prepared data."""
