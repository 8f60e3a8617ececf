"""Exams, perplexity and their statistics, for one model or two. No torch here."""
