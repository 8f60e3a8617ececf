"""Reports on a run: page, slides and model card."""
