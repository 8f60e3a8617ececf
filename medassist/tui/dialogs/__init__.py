"""What asks the user something over the screen that is open, and goes again."""
