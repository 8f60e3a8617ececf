"""A run told to people: page, slides, model card, from the run's files alone."""
