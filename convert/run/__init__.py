"""Converts a run folder to verified GGUFs; steps that are done are skipped."""
