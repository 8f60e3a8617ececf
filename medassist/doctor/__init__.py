"""`medassist doctor`: how things stand on this computer, and what to do about it."""
