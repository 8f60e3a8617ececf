"""Sweeps: one recipe trained with several settings, each as a run of its own."""
