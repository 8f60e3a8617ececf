"""Hugging Face models and PEFT adapters in; GGUF and Modelfile out. Needs torch."""

# The offline guard comes with the first import of the app's package.
import medassist as medassist
