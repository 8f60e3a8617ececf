"""The bottom layer: values, files, GGUF headers, network and guard."""
