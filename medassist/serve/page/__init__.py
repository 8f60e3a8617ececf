"""The page on which two models are consulted in a browser."""
