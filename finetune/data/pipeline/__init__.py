"""The steps as a datatrove pipeline, with reading, counting, locks and progress."""
