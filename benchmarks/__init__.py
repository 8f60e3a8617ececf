"""What the engine and the screen cost, measured beside a reference in the same run."""
