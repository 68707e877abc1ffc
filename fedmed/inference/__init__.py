"""A trained model after its run: its card, its weights as a file, and its predictions on new images."""
