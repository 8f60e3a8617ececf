"""The Textual screens; everything they show is computed in other packages."""
