"""What several rooms read out of text: quantities, sentences."""
