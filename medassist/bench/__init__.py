"""Measures speed, memory, loading, quality and exams of models on this computer.

A measurement yields events (`events`) and appends what it found to a file (`results`);
who shows it stands above this room, which imports no screen. `run` is the whole of it.
"""
