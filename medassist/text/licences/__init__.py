"""What a licence's text says: its names, and whatever in it forbids or narrows."""
