"""How fast and how good a model is on this computer, and what quantizing it cost.

A measurement yields events (`events`) and appends what it found to a file (`results`);
who shows it stands above this room, which imports no screen. `run` is the whole of it.
"""
