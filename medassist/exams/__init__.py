"""How well a model knows a text, and how far two models differ. No torch here."""
