"""Getting models from the Hugging Face Hub: asked first, checked afterwards."""
