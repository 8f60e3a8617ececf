"""The screen. Textual and nothing else; what it shows lives in other packages."""
