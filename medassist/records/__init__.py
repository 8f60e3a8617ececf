"""The encrypted store of consultations: nothing of it lies on the disk in the clear."""
