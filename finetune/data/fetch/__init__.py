"""Downloads of data sets: only what the user asked for by name, and only from there."""
