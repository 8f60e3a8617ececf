"""The protocols that programs already speak: models, chat, completions, responses."""
