"""What several rooms read out of a text. It imports nothing of the house but values."""
