"""Worlds: the images, who holds them, how they are annotated, and how sites differ."""
