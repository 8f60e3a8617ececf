"""A GGUF as the Hugging Face folder that it could have been made of."""
