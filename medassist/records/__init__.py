"""Encrypted store of consultations."""
